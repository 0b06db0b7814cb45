"""Float networks with legitimate, unusual graphs; each must fuse, quantise at every width and keep its signal."""

from __future__ import annotations

from collections.abc import Callable

from networks import ADDER, DOT, Builder

from quant.float_network import Add, Argmax, AveragePool, Flatten, FloatNetwork, MaxPool


def _net() -> Builder:
    return Builder("odd", (2, 6, 6), 5)


def _coded(net: Builder, name: str = "first") -> str:
    """A layer with norm and ReLU behind the image."""
    return net.relu(f"{name}.relu", net.norm(f"{name}.bn", net.conv(name, "image", ADDER, 4, (3, 3), padding=(1, 1))))


def _end(net: Builder, source: str) -> FloatNetwork:
    """An adder layer on the logits behind `source`."""
    net.norm("last.bn", net.conv("last", source, ADDER, 3, (2, 2)))
    return net.network()


def _add_of_raw_tensors() -> FloatNetwork:
    net = _net()
    raw = net.append(MaxPool("max", _coded(net), (2, 2), (1, 1)))
    other = net.append(MaxPool("max2", "first.relu", (2, 2), (1, 1)))
    return _end(net, net.append(Add("add", raw, other)))


def _add_of_one_tensor_twice() -> FloatNetwork:
    net = _net()
    tensor = net.norm("mid.bn", net.conv("mid", _coded(net), ADDER, 4, (1, 1)))
    return _end(net, net.relu("add.relu", net.append(Add("add", tensor, tensor))))


def _add_of_image_and_layer() -> FloatNetwork:
    net = _net()
    layer = net.norm("mid.bn", net.conv("mid", "image", ADDER, 2, (1, 1)))
    return _end(net, net.append(Add("add", "image", layer)))


def _norm_before_any_layer() -> FloatNetwork:
    net = _net()
    return _end(net, net.norm("image.bn", "image"))


def _relu_before_any_layer() -> FloatNetwork:
    net = _net()
    return _end(net, net.relu("image.relu", "image"))


def _max_pool_on_the_image() -> FloatNetwork:
    net = _net()
    return _end(net, net.append(MaxPool("max", "image", (3, 3), (2, 2), (1, 1))))


def _relu_on_a_max_pool() -> FloatNetwork:
    net = _net()
    tensor = net.norm("first.bn", net.conv("first", "image", ADDER, 4, (3, 3)))
    return _end(net, net.relu("max.relu", net.append(MaxPool("max", tensor, (2, 2), (1, 1)))))


def _relu_on_an_average_pool() -> FloatNetwork:
    net = _net()
    tensor = net.norm("first.bn", net.conv("first", "image", ADDER, 4, (3, 3)))
    return _end(net, net.relu("pool.relu", net.append(AveragePool("pool", tensor, (2, 2), (1, 1)))))


def _shortcut_layer_before_the_main_branch() -> FloatNetwork:
    net = _net()
    tensor = _coded(net)
    short = net.norm("short.bn", net.conv("short", tensor, ADDER, 4, (1, 1)))
    main = net.norm("main.bn", net.conv("main", tensor, ADDER, 4, (3, 3), padding=(1, 1)))
    return _end(net, net.relu("add.relu", net.append(Add("add", short, main))))


def _shortcut_layer_after_the_main_branch() -> FloatNetwork:
    net = _net()
    tensor = _coded(net)
    main = net.norm("main.bn", net.conv("main", tensor, ADDER, 4, (3, 3), padding=(1, 1)))
    short = net.norm("short.bn", net.conv("short", tensor, ADDER, 4, (1, 1)))
    return _end(net, net.relu("add.relu", net.append(Add("add", main, short))))


def _norm_behind_an_add() -> FloatNetwork:
    net = _net()
    tensor = _coded(net)
    main = net.norm("main.bn", net.conv("main", tensor, ADDER, 4, (1, 1)))
    return _end(net, net.norm("add.bn", net.append(Add("add", main, tensor))))


def _two_adds_in_a_row() -> FloatNetwork:
    net = _net()
    tensor = _coded(net)
    main = net.norm("main.bn", net.conv("main", tensor, ADDER, 4, (1, 1)))
    return _end(net, net.append(Add("add2", net.append(Add("add1", main, tensor)), tensor)))


def _two_norms_in_a_row() -> FloatNetwork:
    net = _net()
    tensor = net.norm("bn", net.conv("mid", _coded(net), ADDER, 4, (3, 3)))
    return _end(net, net.relu("bn2.relu", net.norm("bn2", tensor)))


def _layer_sums_read_twice() -> FloatNetwork:
    net = _net()
    tensor = net.conv("mid", _coded(net), DOT, 4, (1, 1))
    left, right = net.relu("left", net.norm("left.bn", tensor)), net.norm("right.bn", tensor)
    return _end(net, net.append(Add("add", left, right)))


def _average_pool_into_dot_and_shortcut() -> FloatNetwork:
    net = _net()
    tensor = net.append(AveragePool("pool", _coded(net), (2, 2), (2, 2)))
    tensor = net.append(Add("add", net.norm("mid.bn", net.conv("mid", tensor, DOT, 4, (1, 1))), tensor))
    return _end(net, tensor)


def _average_pool_into_max_pool_into_dot() -> FloatNetwork:
    net = _net()
    tensor = net.append(AveragePool("pool", _coded(net), (2, 2), (1, 1)))
    net.norm("mid.bn", net.conv("mid", net.append(MaxPool("max", tensor, (2, 2), (1, 1))), DOT, 4, (1, 1)))
    return net.network()


def _average_pool_into_adder_linear() -> FloatNetwork:
    net = _net()
    tensor = net.append(Flatten("flatten", net.append(AveragePool("pool", _coded(net), (6, 6), (1, 1)))))
    net.norm("fc.bn", net.linear("fc", tensor, ADDER, 3))
    return net.network()


def _average_pool_into_dot_linear() -> FloatNetwork:
    net = _net()
    tensor = net.append(Flatten("flatten", net.append(AveragePool("pool", _coded(net), (6, 6), (1, 1)))))
    net.linear("fc", tensor, DOT, 3, bias=True)
    return net.network()


def _average_pool_of_an_average_pool() -> FloatNetwork:
    net = _net()
    tensor = net.append(AveragePool("pool", _coded(net), (2, 2), (1, 1), (1, 1)))
    tensor = net.append(AveragePool("pool2", tensor, (3, 3), (2, 2)))
    net.norm("fc.bn", net.conv("fc", tensor, DOT, 3, (1, 1)))
    return net.network()


def _map_flattened_into_linear() -> FloatNetwork:
    net = _net()
    tensor = net.append(Flatten("flatten", net.append(MaxPool("max", _coded(net), (2, 2), (2, 2)))))
    net.norm("fc.bn", net.linear("fc", tensor, ADDER, 3))
    return net.network()


def _output_is_a_map() -> FloatNetwork:
    net = _net()
    return _end(net, _coded(net))


def _output_is_an_average_pool() -> FloatNetwork:
    net = _net()
    tensor = net.append(AveragePool("pool", _coded(net), (6, 6), (1, 1)))
    net.append(Flatten("flatten", tensor))
    return net.network()


def _output_is_a_max_pool() -> FloatNetwork:
    net = _net()
    tensor = net.norm("first.bn", net.conv("first", "image", ADDER, 4, (3, 3)))
    net.append(MaxPool("max", tensor, (4, 4), (1, 1)))
    return net.network()


def _output_is_a_relu() -> FloatNetwork:
    net = _net()
    net.append(Flatten("flatten", _coded(net)))
    return net.network()


def _output_is_an_add() -> FloatNetwork:
    net = _net()
    tensor = _coded(net)
    net.append(Add("add", net.append(MaxPool("max", tensor, (3, 3), (1, 1), (1, 1))), tensor))
    return net.network()


def _output_is_an_argmax() -> FloatNetwork:
    net = _net()
    tensor = net.append(Flatten("flatten", net.conv("first", "image", DOT, 4, (6, 6), bias=True)))
    net.append(Argmax("class", tensor))
    return net.network()


def _output_is_called_argmax() -> FloatNetwork:
    net = _net()
    net.linear("argmax", net.append(Flatten("flatten", "image")), DOT, 4)
    return net.network()


def _branch_that_nobody_reads() -> FloatNetwork:
    net = _net()
    tensor = _coded(net)
    net.norm("dead.bn", net.conv("dead", tensor, ADDER, 2, (1, 1)))
    return _end(net, tensor)


ODD_NETWORKS: dict[str, Callable[[], FloatNetwork]] = {
    build.__name__.strip("_").replace("_", " "): build
    for build in (
        _add_of_raw_tensors,
        _add_of_one_tensor_twice,
        _add_of_image_and_layer,
        _norm_before_any_layer,
        _relu_before_any_layer,
        _max_pool_on_the_image,
        _relu_on_a_max_pool,
        _relu_on_an_average_pool,
        _shortcut_layer_before_the_main_branch,
        _shortcut_layer_after_the_main_branch,
        _norm_behind_an_add,
        _two_adds_in_a_row,
        _two_norms_in_a_row,
        _layer_sums_read_twice,
        _average_pool_into_dot_and_shortcut,
        _average_pool_into_max_pool_into_dot,
        _average_pool_into_adder_linear,
        _average_pool_into_dot_linear,
        _average_pool_of_an_average_pool,
        _map_flattened_into_linear,
        _output_is_a_map,
        _output_is_an_average_pool,
        _output_is_a_max_pool,
        _output_is_a_relu,
        _output_is_an_add,
        _output_is_an_argmax,
        _output_is_called_argmax,
        _branch_that_nobody_reads,
    )
}
