"""The numbers of open files, and their limit: often 1,024, though the hard one allows many more."""

import fcntl
import resource

_HIGH_NUMBER = 500


def allow_open_files(wanted: int) -> int:
    """Raise the soft limit to `wanted` if it is lower, as far as the hard limit allows.

    Returns how many of the wanted files this process may open.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed


def high_copy(fd: int) -> int:
    """Return a copy of a descriptor with a number that is not soon given out again.

    When a job has closed it, the next files that are opened do not get its number.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    number = _HIGH_NUMBER if soft == resource.RLIM_INFINITY else min(_HIGH_NUMBER, soft * 3 // 4)
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, number)
