"""The control rows, with their names for people, and the picks of test cases for figures."""

CONTROL_LABELS = {
    "real_ct": "Real CT",
    "real_ct_clipped": "Real CT, clipped",
    "mr_linear": "MR, linear in HU",
    "mean_ct": "Mean training CT",
}
CONTROLS = tuple(CONTROL_LABELS)
TRIVIAL_CONTROLS = ("mr_linear", "mean_ct")  # no learning: a row that one of them beats has learned nothing of worth
FITTED_CONTROLS = ("mr_linear", "mean_ct")  # on the training cases
TRAINING_CONTROLS = ("real_ct_clipped", *FITTED_CONTROLS)  # need training cases: their HU limits, or a fit
PICKS = ("typical", "best", "worst")
