import socket

from stadtfunk.serve import bind


def test_an_answer_does_not_wait_for_the_caller_s_acknowledgement():
    # asyncio turns Nagle's algorithm off only where the protocol is named
    with bind("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP
