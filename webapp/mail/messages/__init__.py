"""The words of every mail, a module a family."""
