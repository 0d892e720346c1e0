"""`python -m orpheus …`: the command line, the same as `orpheus …`."""

from orpheus.supervisor.__main__ import main

if __name__ == "__main__":
    main()
