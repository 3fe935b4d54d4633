"""Probabilistic matching without Spark: tables of records in, match weights and clusters out.

A model is trained now and then (``training.train``), or taken over from Splink
(``splink_models.SplinkModel``), and frozen in one JSON file (``model.Model``).
With it records are read (``scoring.Scorer.of``), paired (``keys.keys_of``, ``blocking``), scored
(``Scorer.score``) and clustered (``clustering.clustered``, ``resolution.resolve``); where the truth
is known, ``evaluation.evaluated`` tells how well.

From the bottom up:

- ``texts``, ``names``, ``attributes``, ``name_attribute``, ``records``: values as codes;
- ``similarity``, ``name_levels``, ``date_levels``, ``value_levels``, ``text_levels``: compiled
  comparisons;
- ``kinds``, ``comparisons``: which comparisons there are, and which a declaration asks for;
- ``frequencies``, ``term_bits``: agreement on a rare value says more;
- ``keys``, ``blocking``: which pairs are looked at, each born once;
- ``tables``, ``em``, ``sampling``, ``aliases``, ``findings``, ``training``: a model without labels;
- ``linkage``, ``clustering``, ``resolution``: clusters;
- ``splink_models``: models that were made with Splink, in these terms.
"""
