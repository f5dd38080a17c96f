from afpbench.tables.captions import choice_notes, loss_notes

LABELS = {"l1": "nnU-Net / L1", "afp": "nnU-Net / AFP"}


def test_every_row_with_its_terms_weights_and_networks():
    losses = {
        "l1": [{"term": "l1", "weight": 1}],
        "afp": [
            {"term": "l1", "weight": 0.5},
            {"term": "afp", "weight": 1.0, "networks": ["navi", {"name": "totalseg", "weight": 2}]},
        ],
    }
    assert loss_notes(losses, LABELS, ["afp", "l1"]) == (
        "Losses: nnU-Net / L1: l1; nnU-Net / AFP: 0.5 l1 + afp (navi, totalseg)."
    )


def test_rows_that_a_table_does_not_show_are_not_named():
    losses = {"l1": [{"term": "l1", "weight": 1}], "mse": [{"term": "mse", "weight": 1}]}
    assert loss_notes(losses, LABELS, ["l1", "real_ct"]) == "Losses: nnU-Net / L1: l1."
    assert loss_notes(losses, LABELS, ["real_ct"]) == ""


def test_terms_without_networks_have_no_brackets():
    assert loss_notes({"l1": [{"term": "mse", "weight": 1e-3, "networks": []}]}, LABELS, ["l1"]) == (
        "Losses: nnU-Net / L1: 0.001 mse."
    )


def test_rows_whose_weights_were_chosen_alike_share_a_sentence():
    dice, mae = "the highest mean Dice of Bones on whole validation cases", "the lowest MAE on whole validation cases"
    labels = {**LABELS, "spade": "SPADE"}
    chosen = {"l1": dice, "afp": dice, "spade": mae}
    assert choice_notes(chosen, labels, ["l1", "afp", "spade"]) == (
        f"Weights of the epoch with {dice}: nnU-Net / L1, nnU-Net / AFP. Weights of the epoch with {mae}: SPADE."
    )
    assert choice_notes(chosen, labels, ["afp"]) == f"Weights of the epoch with {dice}: nnU-Net / AFP."
    assert choice_notes({"l1": ""}, LABELS, ["l1"]) == ""
