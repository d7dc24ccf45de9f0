"""Errors of the operating system that are no fault of the file that was asked for."""

import errno

OF_THE_MACHINE = frozenset(
    {
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM),
        *(errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH),
    }
)
"""No memory, or a network share that does not answer."""

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
