"""Charts to explore, as data: pure functions from records to what static/charts.js draws.

To add one, write a function that returns a `Chart` and pass its result to the template's macro
`figure` next to the drawing for browsers without script.
"""
