"""The words of every mail: one module for each family of mails."""
