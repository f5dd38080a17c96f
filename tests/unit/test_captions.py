from afpbench.tables.captions import loss_notes

LABELS = {"l1": "nnU-Net / L1", "afp": "nnU-Net / AFP"}


def test_every_row_with_its_terms_weights_and_networks():
    losses = {
        "l1": [{"term": "l1", "weight": 1}],
        "afp": [
            {"term": "l1", "weight": 0.5},
            {"term": "afp", "weight": 1.0, "networks": ["navi", {"name": "totalseg", "weight": 2}]},
        ],
    }
    assert loss_notes(losses, LABELS) == ("Losses: nnU-Net / L1: l1; nnU-Net / AFP: 0.5 l1 + afp (navi, totalseg).")


def test_terms_without_networks_have_no_brackets():
    assert loss_notes({"l1": [{"term": "mse", "weight": 1e-3, "networks": []}]}, LABELS) == (
        "Losses: nnU-Net / L1: 0.001 mse."
    )
