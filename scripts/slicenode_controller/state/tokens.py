"""Enrolment tokens: each admits one piece of hardware."""

import hashlib
import secrets

from . import clock
from .store import Row, Store


def create(store: Store, seconds: float, node_name: str = "") -> tuple[str, str]:
    """A new token's id and text. The text is not kept."""
    text = secrets.token_urlsafe(24)
    with store.transaction():
        token_id = _unused_id(store)
        text = f"{token_id}.{text}"
        store.run(
            "INSERT INTO tokens (id, hash, node_name, created, expires) VALUES (?, ?, ?, ?, ?)",
            token_id,
            _hash(text),
            node_name,
            clock.now(),
            clock.after(seconds),
        )
    return token_id, text


def _unused_id(store: Store) -> str:
    while True:
        token_id = secrets.token_hex(4)
        if store.find("SELECT 1 FROM tokens WHERE id = ?", token_id) is None:
            return token_id


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def find(store: Store, text: str) -> Row | None:
    """The token with this text, whatever its state."""
    return store.find("SELECT * FROM tokens WHERE hash = ?", _hash(text))


def state(token: Row) -> str:
    if token["node"] is not None:
        return "used"
    if token["revoked"]:
        return "revoked"
    return "expired" if token["expires"] <= clock.now() else "unused"


def bind(store: Store, token_id: str, node_id: str) -> None:
    store.run("UPDATE tokens SET node = ? WHERE id = ?", node_id, token_id)


def revoke(store: Store, token_id: str) -> None:
    """Keeps new nodes out. The node that the token has admitted stays."""
    store.run("UPDATE tokens SET revoked = 1 WHERE id = ?", token_id)


def every(store: Store) -> list[Row]:
    return store.all("SELECT * FROM tokens ORDER BY created")
