"""Whole runs of the shipped engine in virtual time, with everything that can go wrong drawn from one seed, judged by laws.

`draw` (with `manifests` and `troubles`) tells the story before it happens; `world` lets it happen: `process` (how programs live and
die in one loop), `program` (what the person types), `network`, `disk` and `platters` (the seams), `crowd` (the others). `history`
and `papers` remember, `evidence` answers the questions of `laws*`, `judge` compares a gallery with a manifest, `story` tells it.

    python -m tests.simulation --seed 1234 -v       one story
    python -m tests.simulation --seeds 50000        the soak
    python -m tests.simulation --engine NAME        with a known-bad engine swapped in
"""
