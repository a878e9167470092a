"""Your own definitions: `dg scaffold defs …` writes here, and the code location loads all of it."""
