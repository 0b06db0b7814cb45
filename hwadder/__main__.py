"""`python -m hwadder`, which is how torchrun starts it."""

from hwadder.cli import main

if __name__ == "__main__":
    main(prog_name="hwadder")
