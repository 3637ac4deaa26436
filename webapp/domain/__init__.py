"""The rules of the business: pure functions of their arguments. No Flask, no SQL, no clock."""
