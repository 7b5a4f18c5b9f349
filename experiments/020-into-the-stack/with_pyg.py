"""PyG: the training graph with the run's vectors as `item.x`, two steps of a small model on it, and back."""

import torch
from example import answer, run_folder
from torch_geometric.nn import SAGEConv, to_hetero

from graphrec import Recommender
from graphrec.export.pyg import from_hetero_data, to_hetero_data

torch.manual_seed(0)
model = Recommender.load(run_folder(), "cpu")
data = to_hetero_data(model, x="content")  # item.x, item.item_id, user.user_id, edges in both directions
user, item = data["user", "interacts", "item"].edge_index


class Encoder(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = SAGEConv((-1, -1), 16)

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        return self.convolution(x, edge_index)


encoder = to_hetero(Encoder(), data.metadata())
x = {"item": data["item"].x, "user": torch.zeros(data["user"].num_nodes, 1)}  # users are known by their items
optimizer, losses = torch.optim.Adam(encoder.parameters(), lr=0.01), []
encoder(x, data.edge_index_dict)  # the first call finds out how wide the inputs are
for _ in range(2):
    z = encoder(x, data.edge_index_dict)
    touched = (z["user"][user] * z["item"][item]).sum(dim=1)
    other = (z["user"][user] * z["item"][torch.randint(len(x["item"]), item.shape)]).sum(dim=1)
    loss = -torch.nn.functional.logsigmoid(touched - other).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(float(loss.detach()))

again = from_hetero_data(data).interactions.user_item_matrix()
is_same = (again != model.train_.interactions.user_item_matrix()).nnz == 0
told = f"loss of two steps {losses[0]:.3f}, {losses[1]:.3f}; {again.nnz:,} edges back {'un' * is_same}changed"
answer(told, losses=losses, edges=again.nnz, edges_equal=is_same)
