"""What else reads such exports: a script for each, and the packages that it is measured with."""
