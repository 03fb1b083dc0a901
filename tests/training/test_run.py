"""What surrounds a training: the device, the process."""

import pytest
import torch

from entropy_sums.job import choose_device, device_name


def test_auto_takes_a_gpu_where_there_is_one():
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert device_name(torch.device("cpu")) == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match="use --device auto"):
        choose_device("cuda")
