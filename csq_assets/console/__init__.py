"""What `csq` says to people, on stderr: tables and progress on a terminal, plain lines elsewhere."""
