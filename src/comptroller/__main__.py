"""`python -m comptroller`."""

from comptroller.cli import main

if __name__ == "__main__":
    main(prog_name="comptroller")
