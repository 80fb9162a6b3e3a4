"""Slicenode's development controller: one rack, one process, SQLite and the openssl command.

Who uses whom, each only what stands before it:

    schema            JSON Schema, the subset that the protocol uses
    protocol          docs/protocol/openapi.json: finds calls, checks bodies
    clock             times as the protocol writes them
    store             SQLite: tables, transactions, waiting for a change
    tokens nodes requests view traffic events
                      what is in the tables, one concern each
    ca                certificates, by openssl
    mailbox           wakes a node's long poll
    service           the protocol's calls
    faults files      images over HTTP; broken on purpose for tests
    context web server
                      connections, TLS, HTTP; the process that serves
    output lookup     what the commands print; names and id prefixes
    session waiting ordering image_source
                      what the commands share
    commands_* cli    the command line
"""
