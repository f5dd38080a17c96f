"""afpbench.features.medicalnet: MedicalNet's layout and checkpoint format."""

import pytest
import torch

from afpbench.base.atomic import write_json
from afpbench.base.errors import ConfigError, ModelError
from afpbench.features import load
from afpbench.features.medicalnet import BasicBlock, ResNet, ZeroChannels, _depth


def save(path, depth=10, projections=True, seed=0):
    """A checkpoint in MedicalNet's format: `state_dict`, keys under `module.`, a segmentation head."""
    torch.manual_seed(seed)
    network = ResNet(depth, projections)
    state = {f"module.{key}": value for key, value in network.state_dict().items()}
    state["module.conv_seg.0.weight"] = torch.zeros(512, 32, 2, 2, 2)
    torch.save({"state_dict": state, "epoch": 3, "iter": 12}, path)
    return network.eval()


def spec(path, **options):
    return {"kind": "medicalnet", "weights": path, **options}


def test_layers_shapes_and_strides(tmp_path):
    save(tmp_path / "resnet_10.pth")
    network = load(spec(tmp_path / "resnet_10.pth"), (1, 1, 1))
    assert network.layer_names == ["relu1", "layer1", "layer2", "layer3", "layer4"]
    shapes = [tuple(f.shape[1:]) for f in network(torch.rand(1, 1, 16, 24, 20))]
    # stem /2, pooling /4, layer2 /8; layers 3 and 4 are dilated and keep /8
    assert shapes == [(64, 8, 12, 10), (64, 4, 6, 5), (128, 2, 3, 3), (256, 2, 3, 3), (512, 2, 3, 3)]


def test_features_equal_the_network_on_the_normalised_patch(tmp_path):
    own = save(tmp_path / "resnet_10.pth")
    x = torch.randn(2, 1, 17, 24, 20) * 300 - 200
    with torch.no_grad():
        expected = own((x - x.mean((1, 2, 3, 4), keepdim=True)) / x.std((1, 2, 3, 4), correction=0, keepdim=True))
    for ours, theirs in zip(load(spec(tmp_path / "resnet_10.pth"), (1, 1, 1))(x), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    fixed = load(spec(tmp_path / "resnet_10.pth", mean_hu=-200, std_hu=300), (1, 1, 1))
    with torch.no_grad():
        expected = own((x + 200) / 300)
    torch.testing.assert_close(fixed(x)[4], expected[4], rtol=1e-4, atol=1e-4)
    statistics = {"mr": {"scheme": "zscore"}, "ct": {"scheme": "clipped_zscore", "mean_hu": -200, "std_hu": 300}}
    write_json(tmp_path / "normalization.json", statistics)
    trained = load(spec(tmp_path / "resnet_10.pth", statistics=tmp_path / "normalization.json"), (1, 1, 1))
    assert torch.equal(trained(x)[4], fixed(x)[4])


def test_an_offset_and_a_factor_of_hu_are_seen_only_on_a_fixed_scale(tmp_path):
    save(tmp_path / "resnet_10.pth")
    x = torch.randn(1, 1, 16, 16, 16) * 300 - 200
    own = load(spec(tmp_path / "resnet_10.pth"), (1, 1, 1), ["layer1"])
    fixed = load(spec(tmp_path / "resnet_10.pth", mean_hu=-200, std_hu=300), (1, 1, 1), ["layer1"])
    change = {
        name: (net(0.5 * x + 100)[0] - net(x)[0]).abs().mean().item() for name, net in (("own", own), ("fixed", fixed))
    }
    assert change["own"] < 1e-4 < 1e-2 < change["fixed"]


@pytest.mark.parametrize(
    ("depth", "projections", "blocks", "channels"),
    [(10, True, 4, 512), (18, False, 8, 512), (50, True, 16, 2048)],
)
def test_depth_and_shortcut_are_read_from_the_keys(tmp_path, depth, projections, blocks, channels):
    path = tmp_path / "weights.pth"
    save(path, depth, projections)
    network = load(spec(path), (1, 1, 1)).network
    path.unlink()
    layers = [getattr(network, f"layer{k}") for k in range(1, 5)]
    assert sum(map(len, layers)) == blocks
    assert any(isinstance(m, ZeroChannels) for m in network.modules()) != projections
    assert layers[3][0].conv2.dilation == (4, 4, 4) and layers[2][0].conv2.dilation == (2, 2, 2)
    assert list(layers[3].parameters())[-1].numel() == channels


def test_resnet34_and_resnet50_differ_by_their_blocks():
    with torch.device("meta"):
        keys = {depth: ResNet(depth, True).state_dict() for depth in (34, 50)}
    assert {depth: _depth(state, "weights.pth") for depth, state in keys.items()} == {34: 34, 50: 50}


def test_shortcut_of_zero_channels_by_hand():
    x = torch.arange(8.0).reshape(1, 1, 2, 2, 2)
    assert ZeroChannels(3, 2)(x).flatten().tolist() == [0.0, 0.0, 0.0]
    assert ZeroChannels(2, 1)(x)[:, 1].eq(0).all()


def test_block_by_hand():
    block = BasicBlock(1, 1, 1, 1, True).eval()
    with torch.no_grad():
        for conv in (block.conv1, block.conv2):
            conv.weight.zero_()
            conv.weight[0, 0, 1, 1, 1] = 2.0
    x = torch.tensor([-1.0, 3.0]).reshape(1, 1, 1, 1, 2)
    # relu(2x) = 0, 6; twice that plus x = -1, 15; relu -> 0, 15 (batch norm's epsilon aside)
    assert block(x).flatten().tolist() == pytest.approx([0.0, 15.0], rel=1e-4)


def test_nothing_runs_after_the_last_layer(tmp_path):
    save(tmp_path / "resnet_10.pth")
    network = load(spec(tmp_path / "resnet_10.pth"), (1, 1, 1), ["layer1", "relu1"])
    assert not hasattr(network.network, "layer2")
    assert [f.shape[2] for f in network(torch.rand(1, 1, 16, 16, 16))] == [4, 8]


def test_errors(tmp_path):
    with pytest.raises(ModelError, match=r"(?s)MedicalNet: no such file.*hint: download MedicalNet's weights"):
        load(spec(tmp_path / "absent.pth"), (1, 1, 1))
    torch.save({"state_dict": {"module.layer1.0.conv1.weight": torch.zeros(1)}}, tmp_path / "other.pth")
    with pytest.raises(ModelError, match=r"(?s)not a checkpoint of MedicalNet.*\(1, 0, 0, 0\).*ResNet-10, 18, 34, 50"):
        load(spec(tmp_path / "other.pth"), (1, 1, 1))
    path = tmp_path / "resnet_10.pth"
    save(path)
    content = torch.load(path, weights_only=True)
    del content["state_dict"]["module.bn1.weight"]
    torch.save(content, path)
    with pytest.raises(ModelError, match=r"(?s)weights do not fit.*missing bn1.weight; unexpected none"):
        load(spec(path), (1, 1, 1))
    content["state_dict"]["module.bn1.weight"] = torch.zeros(3)
    torch.save(content, path)
    with pytest.raises(ModelError, match=r"(?s)weights do not fit.*missing shapes"):
        load(spec(path), (1, 1, 1))
    save(path)
    with pytest.raises(ConfigError, match=r"(?s)unknown feature layers.*layer5.*did you mean layer4"):
        load(spec(path), (1, 1, 1), ["layer5"])
    with pytest.raises(ModelError, match="mean_hu and std_hu go together"):
        load(spec(path, mean_hu=0), (1, 1, 1))
