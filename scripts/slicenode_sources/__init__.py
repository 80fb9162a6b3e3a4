"""Where the build's third-party files come from: pins, the cache, the places that are asked, the suite's index.

`scripts/fetch` and `scripts/pins` are its commands; HACKING.md tells what they do.
"""

from __future__ import annotations


class SourcesError(Exception):
    """What cannot be done, in words for the person at the terminal."""


class Interrupted(SourcesError):
    """The run is being ended; what waits gives up."""
