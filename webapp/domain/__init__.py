"""The rules of the business: pure functions of what they are given. No Flask, no SQL, no clock."""
