"""The options of every loss term as JSON schemas. Standard library only: the study file is checked with them."""

_NETWORKS = {
    "description": "The feature networks, by their names in the study: a segmenter, or an entry of `networks`. "
    "Several are averaged; an entry may be `{name: navi, weight: 2}`.",
    "type": "array",
    "minItems": 1,
    "items": {
        "oneOf": [
            {"type": "string"},
            {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "description": "Name of the network."},
                    "weight": {"type": "number", "exclusiveMinimum": 0, "default": 1, "description": "Its weight."},
                },
                "required": ["name"],
                "additionalProperties": False,
            },
        ]
    },
}

_FEATURES = {
    "networks": _NETWORKS,
    "layers": {
        "description": "Where features are taken: `stages` (every encoder and decoder stage, after its last "
        "activation), `encoder`, `decoder`, `all` (after every convolutional block), or a list of layer names such as "
        "`encoder.0` or `decoder.2.1`. null: the network's default (for nnU-Net `stages`).",
        "oneOf": [
            {"type": "null"},
            {"type": "string"},
            {"type": "array", "minItems": 1, "items": {"type": "string"}},
        ],
        "default": None,
    },
    "layer_weights": {
        "description": "A weight for each layer, in the order of `layers`, or by layer name (others keep 1). "
        "null: every layer counts the same.",
        "oneOf": [
            {"type": "null"},
            {"type": "array", "minItems": 1, "items": {"type": "number", "minimum": 0}},
            {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}},
        ],
        "default": None,
    },
    "weighting": {
        "description": "Weights of the layers that training finds itself: `uniform` for none; `uncertainty` (Kendall "
        "et al. 2018), each layer by a learned uncertainty; `gradient_norm` (GradNorm, Chen et al. 2018), layers that "
        "lag behind get more, at the cost of a backward pass per layer. Not beside `layer_weights`.",
        "enum": ["uniform", "uncertainty", "gradient_norm"],
        "default": "uniform",
    },
    "gradient_norm_alpha": {
        "description": "GradNorm's strength of pulling the layers to a common rate of training; 0 equals their "
        "gradients' norms.",
        "type": "number",
        "minimum": 0,
        "default": 1.5,
    },
    "reduction": {
        "description": "Within a layer: the mean over its elements, or their sum per sample (the L1 norm as Eq. 1 "
        "writes it, so that large layers count more).",
        "enum": ["mean", "sum"],
        "default": "mean",
    },
    "layer_reduction": {
        "description": "Over the layers: the mean (Eq. 1), or the sum (the authors' public code).",
        "enum": ["mean", "sum"],
        "default": "mean",
    },
    "scale": {
        "description": "`real_magnitude` divides each layer's distance by the mean magnitude of the real CT's features "
        "there, so that layers count alike whatever their scale.",
        "enum": ["none", "real_magnitude"],
        "default": "none",
    },
    "region": {
        "description": "Where features are compared: `all`, or only `inside` or `outside` what `region_of` names.",
        "enum": ["all", "inside", "outside"],
        "default": "all",
    },
    "region_of": {
        "description": "Structures of the task or labels of the data source, as the label maps of the cases have them; "
        "with `region_by` classes of that segmenter; null: the body.",
        "oneOf": [
            {"type": "null"},
            {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "string"}},
        ],
        "default": None,
    },
    "region_by": {
        "description": "A segmenter whose label map of the real CT, made anew of each patch, gives the region, for "
        "cases without label maps; null: the label maps of the cases.",
        "type": ["string", "null"],
        "default": None,
    },
}


def _schema(term: str, description: str, properties: dict | None = None, required: tuple[str, ...] = ()) -> dict:
    return {
        "type": "object",
        "description": description,
        "properties": {
            "term": {"const": term, "description": "The loss term."},
            "weight": {
                "type": "number",
                "exclusiveMinimum": 0,
                "default": 1,
                "description": "The term's factor in the sum.",
            },
            **(properties or {}),
        },
        "required": ["term", *required],
        "additionalProperties": False,
    }


SCHEMAS: dict[str, dict] = {
    "l1": _schema("l1", "Mean absolute difference of the normalised CT."),
    "mse": _schema("mse", "Mean squared difference of the normalised CT."),
    "afp": _schema(
        "afp",
        "Anatomical feature-prioritized loss (Eq. 1): L1 distance between features of a frozen segmentation network.",
        _FEATURES,
        ("networks",),
    ),
    "perceptual": _schema(
        "perceptual",
        "Perceptual loss: distance between the features of a network that was not trained on these structures "
        "(MedicalNet in the paper).",
        {
            **_FEATURES,
            "distance": {
                "description": "Distance between features: `l1` (as in the AFP loss) or `mse` (as in Johnson et al.).",
                "enum": ["l1", "mse"],
                "default": "l1",
            },
        },
        ("networks",),
    ),
    "hu_anchor": _schema(
        "hu_anchor",
        "Per patch, the absolute differences of the mean and of the standard deviation of the CT: the two directions "
        "that AFP alone cannot see.",
    ),
    "segmentation": _schema(
        "segmentation",
        "Dice and cross-entropy of the frozen network's output on the synthetic CT against its own segmentation of "
        "the real CT: the last-layer loss that the paper argues against.",
        {
            "networks": _NETWORKS,
            "dice_weight": {
                "type": "number",
                "minimum": 0,
                "default": 1,
                "description": "Factor of the Dice part.",
            },
            "cross_entropy_weight": {
                "type": "number",
                "minimum": 0,
                "default": 1,
                "description": "Factor of the cross-entropy part.",
            },
        },
        ("networks",),
    ),
}


def defaults(term: str) -> dict:
    """The options of a term that have a default, with it (`term` and `weight` are not among them)."""
    properties = SCHEMAS[term]["properties"]
    return {key: value["default"] for key, value in properties.items() if "default" in value and key != "weight"}
