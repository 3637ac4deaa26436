"""Recordings of the stories: kept runs, their comparison with a baseline, and reports for people and machines.

`take` films, `wire` keeps the requests, `masks` marks what always differs, `runs` keeps the runs, `compare` finds what
changed, `results` writes JSON and JUnit XML, `requirements` traces the help page, `pages` writes the HTML.
"""
