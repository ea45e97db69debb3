"""``python -m unmixel`` is the command line."""

from unmixel.cli.main import main

if __name__ == "__main__":
    main()
