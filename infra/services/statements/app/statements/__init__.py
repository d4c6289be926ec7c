"""The batch worker `statements`: takes jobs from an SQS queue, writes account statements. `python3 -m statements`."""

__version__ = "0.1.0"
