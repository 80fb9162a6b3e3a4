"""Slicenode's development controller: one rack, SQLite and the openssl command.

Its rooms, each using only those above it:

    state       what is in the tables, one concern each: clock, store, tokens, parts, nodes, requests, view,
                traffic, events
    files       images over HTTP, broken on purpose for tests; exports that come
    node_api    the nodes' API: schema and protocol (docs/protocol/openapi.json), the CA by openssl, the mailbox that
                wakes a long poll, the service with the calls, and the web server
    commands    the command line: what its commands share, and a file for each family of them

An operator's API is a room beside node_api, not in it.
"""
