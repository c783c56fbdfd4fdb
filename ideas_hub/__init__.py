"""The rules of the hub: who may do what, and what follows from it.

No flask, no sockets, no marshmallow, no eventlet, no network. In reading order a file imports only what stands above it;
the order is kept by `tests/test_architecture.py`.
"""
