"""A trained generator on an MR that has no CT: model cards, packages, and synthetic CT on the MR's own grid."""
