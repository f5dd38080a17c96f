"""The memory and the time of a job stand in its rule, and grow with its attempts. To be included after all rules."""

# A training goes on from its checkpoint, so it gets more memory but no more time; `params.work` is where that lies.
for _rule in workflow.rules:
    for _name in ["mem_mb"] if "work" in _rule.params.keys() else ["mem_mb", "runtime"]:
        if _name in _rule.resources and not _rule.resources[_name].is_evaluable():
            _rule.resources[_name] = growing(_rule.resources[_name].value)
