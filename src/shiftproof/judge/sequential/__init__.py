"""Tests that may be looked at after every request and stay valid (docs/STATISTICS.md: who uses which).

    RateTest    a rate, acceptable p0 against unacceptable p1, whatever it really is (composite)
    Sprt        the same when there are only these two (simple); `exact_sprt` with thresholds that spend all of alpha
    rate_log_e  evidence that a rate is above p0, without an end
    mcnemar     the treatment fails alone no more often than its control does, from discordant pairs
    mean_above  and mean_below: the mean of bounded values, by betting; no distribution, no independence
    Stopping    when such a test stops, by counts alone; `operating` gives its error rates and samples exactly
and, looked at once: ruled_out_rate, least_rate, fixed_sample, excess_p, binomial tails.

Sources
- A. Wald, "Sequential Tests of Statistical Hypotheses", Ann. Math. Statist. 16 (1945): the SPRT, its thresholds and
  the approximations of its expected sample. A. Wald, J. Wolfowitz, Ann. Math. Statist. 19 (1948): no test with its
  two error rates needs fewer samples under either rate.
- J. Kiefer, L. Weiss, Ann. Math. Statist. 28 (1957): between the two rates other boundaries do better.
- H. Robbins, "Statistical methods related to the law of the iterated logarithm", Ann. Math. Statist. 41 (1970):
  mixtures of likelihood ratios for composite alternatives.
- Q. McNemar, Psychometrika 12 (1947): of discordant pairs, each direction is as likely under "no difference".
- J. Ville (1939): a non-negative supermartingale that starts at 1 reaches 1/alpha with probability at most alpha. All
  e-processes here lean on it; A. Ramdas, P. Gruenwald, V. Vovk, G. Shafer, "Game-theoretic statistics and safe
  anytime-valid inference", Statist. Sci. 38 (2023).
- I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86 (2024).
- C. Clopper, E. Pearson, Biometrika 26 (1934): the exact binomial bound.
"""

from shiftproof.judge.sequential.betting import mean_above, mean_below, mean_log_e, seconds_to_show_below, tails_log_e
from shiftproof.judge.sequential.bounds import (
    binomial_at_least,
    binomial_at_most,
    excess_p,
    fixed_sample,
    least_rate,
    ruled_out_rate,
    samples_to_rule_out,
)
from shiftproof.judge.sequential.evidence import MIN_ERRORS, Crossing, split_alpha
from shiftproof.judge.sequential.pairs import mcnemar, mcnemar_log_e, mcnemar_stopping
from shiftproof.judge.sequential.rates import RateTest, rate_log_e, rate_test
from shiftproof.judge.sequential.sprt import Sprt, exact_sprt
from shiftproof.judge.sequential.stopping import Decision, Operating, Stopped, Stopping

__all__ = [
    "MIN_ERRORS",
    "Crossing",
    "Decision",
    "Operating",
    "RateTest",
    "Sprt",
    "Stopped",
    "Stopping",
    "binomial_at_least",
    "binomial_at_most",
    "exact_sprt",
    "excess_p",
    "fixed_sample",
    "least_rate",
    "mcnemar",
    "mcnemar_log_e",
    "mcnemar_stopping",
    "mean_above",
    "mean_below",
    "mean_log_e",
    "rate_log_e",
    "rate_test",
    "ruled_out_rate",
    "samples_to_rule_out",
    "seconds_to_show_below",
    "split_alpha",
    "tails_log_e",
]
