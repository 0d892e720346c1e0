"""The limit of open files: often 1,024, though the hard limit allows many more."""

import resource


def allow_open_files(wanted: int) -> int:
    """Raise the soft limit to `wanted` if it is lower, as far as the hard limit allows.

    Returns how many of the wanted files this process may open.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed
