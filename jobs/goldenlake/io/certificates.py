"""Certificates of servers: why one was refused."""

from __future__ import annotations

import ssl


def why_refused(error: BaseException) -> str:
    """What is wrong with a server's certificate, in OpenSSL's words; nothing where an error comes
    from something else.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message.rstrip(".")
        cause = cause.__cause__ or cause.__context__
    return ""
