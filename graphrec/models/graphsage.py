"""GraphSAGE (Hamilton et al. 2017) over users and items, items starting from their content.

Shapes: F features, D dimensions, L layers; `n` and `m` count the users and items of a sampled subgraph.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import torch
from pydantic import BaseModel, Field, PositiveInt
from torch import Tensor, nn
from torch_geometric.nn import SAGEConv

from graphrec.graph.blocks import neighbor_blocks
from graphrec.graph.interaction_graph import INTERACTED_BY, INTERACTS, EdgeType, InteractionGraph, NodeKind, other_kind

_RESIDUAL_START = 0.05


class RowSource(Protocol):
    """Rows by their indices: an array, or one that was added to."""

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray:
        """The rows, in their order."""


class GraphSAGEConfig(BaseModel, extra="forbid", frozen=True):
    """The encoder's shape."""

    dim: PositiveInt = 128
    """Width of every layer, and of z and q."""
    fanouts: tuple[PositiveInt, ...] = Field(default=(100,), min_length=1)
    """Neighbours drawn per node in training, nearest hop first; its length is the number of layers.

    At the last hop only users draw: an item's users would all say the same there.
    """
    residual: bool = True
    """Whether an item with edges also learns a vector of its own, added to its content."""


@dataclass(frozen=True)
class Encoded:
    """The encoder's answer for a whole graph, from all neighbours.

    `z_ID` and `q_UD` have unit rows. `states_LID[l]` are the items' vectors that layer l reads: enough to encode a new
    user from a list of items later, without the graph.
    """

    z_ID: np.ndarray
    q_UD: np.ndarray
    states_LID: np.ndarray
    length_U: np.ndarray | None = None
    """Of each user's vector before it was given unit length; not kept in a run."""


class GraphSAGE(nn.Module):
    """L layers of `SAGEConv` with mean aggregation; z (items) and q (users) share one space.

    Messages go in both directions, except that in the first layer users, who all start alike, send none.

    An item enters with a linear map of its features, plus a residual of its own where it has edges (`start_from`; it
    stays zero otherwise); a user with one learned vector that is the same for all: what a user is comes from their
    items alone, so a new user needs no training.
    """

    def __init__(self, num_items: int, num_features: int, config: GraphSAGEConfig) -> None:
        super().__init__()
        self.content = nn.Linear(num_features, config.dim)
        # Sparse gradients: a step must not cost more because the catalogue is larger.
        self.residual = nn.Embedding(num_items, config.dim, sparse=True) if config.residual else None
        if self.residual is not None:
            nn.init.zeros_(self.residual.weight)
        self.user_start = nn.Parameter(torch.zeros(config.dim))
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    "user": SAGEConv((config.dim, config.dim), config.dim),
                    # In the first layer all users would send the one vector that they start with.
                    "item": SAGEConv((config.dim, config.dim), config.dim)
                    if number
                    else nn.Linear(config.dim, config.dim),
                }
            )
            for number in range(len(config.fanouts))
        )

    @torch.no_grad()
    def start_from(self, x_IF: np.ndarray, degree_I: np.ndarray, seed: int) -> None:
        """Before the first step: a user is the mean of their items, in the items' own space, and residuals are small.

        So the maps from an item to itself and to its users start as the identity: with random ones q and z would first
        have to find each other. A mean over many items is mostly what they have in common, and where that is large all
        users start alike: so the features' mean over the edges is taken out (by the bias, which training may move), and
        other biases start at zero. Residuals are normal with deviation .05, and zero for items without an edge, which
        nothing ever moves.
        """
        device = self.user_start.device
        mean_F = torch.from_numpy((degree_I / max(1, degree_I.sum())).astype(np.float32) @ x_IF).to(device)
        self.content.bias.copy_(-self.content.weight @ mean_F)
        for number in range(len(self.layers)):
            user, item = self.user_layer(number), self.item_layer(number)
            own, bias = (
                (item.weight, item.bias) if isinstance(item, nn.Linear) else (item.lin_r.weight, item.lin_l.bias)
            )
            nn.init.eye_(user.lin_l.weight)
            nn.init.eye_(own)
            user.lin_l.bias.zero_()
            bias.zero_()
        if self.residual is not None:
            generator = torch.Generator().manual_seed(seed)
            start_ID = _RESIDUAL_START * torch.randn(self.residual.weight.shape, generator=generator)
            start_ID[torch.from_numpy(degree_I == 0)] = 0
            self.residual.weight.copy_(start_ID)

    def forward(
        self, item_m: Tensor, x_mF: Tensor, num_users: int, edge_index: dict[EdgeType, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Unit vectors (q_nD, z_mD) of a sampled subgraph's users and items; right for its seeds (see the sampler).

        `item_m` are the items' indices in the catalogue, `edge_index` counts within the subgraph.
        """
        item_mD, user_nD = self._start(item_m, x_mF), self.user_start.expand(num_users, -1)
        for number in range(len(self.layers)):
            user, item = self.user_layer(number), self.item_layer(number)
            messages = (item_mD,) if isinstance(item, nn.Linear) else ((user_nD, item_mD), edge_index[INTERACTS])
            user_nD, item_mD = (
                self._activate(user((item_mD, user_nD), edge_index[INTERACTED_BY]), number),
                self._activate(item(*messages), number),
            )
        return nn.functional.normalize(user_nD), nn.functional.normalize(item_mD)

    @torch.no_grad()
    def encode(self, graph: InteractionGraph, x_IF: np.ndarray, block_rows: int = 100_000) -> Encoded:
        """Every user and item from all neighbours, layer by layer: no answer depends on who else asks."""
        device = self.user_start.device
        starts = range(0, len(x_IF), block_rows)
        blocks = [
            self._start(
                torch.arange(s, min(s + block_rows, len(x_IF)), device=device), _on(x_IF[s : s + block_rows], device)
            )
            for s in starts
        ]
        state = {"item": torch.cat(blocks), "user": self.user_start.expand(graph.num_users, -1).contiguous()}
        item_states = []
        for number in range(len(self.layers)):
            item_states.append(state["item"].cpu().numpy())
            state = {kind: self._layer(number, kind, graph, state) for kind in ("user", "item")}
        return Encoded(
            z_ID=nn.functional.normalize(state["item"]).cpu().numpy(),
            q_UD=nn.functional.normalize(state["user"]).cpu().numpy(),
            states_LID=np.stack(item_states),
            length_U=state["user"].norm(dim=1).cpu().numpy(),
        )

    @torch.no_grad()
    def messages(self, encoded: Encoded) -> np.ndarray:
        """What each item sends to its users in the last layer, (I, D): a user's vector holds the mean of these."""
        states_ID = _on(encoded.states_LID[-1], self.user_start.device)
        weight_DD = self.user_layer(len(self.layers) - 1).lin_l.weight
        return nn.functional.linear(states_ID, weight_DD).cpu().numpy()

    @torch.no_grad()
    def item_starts(self, x_NF: np.ndarray, items: np.ndarray) -> np.ndarray:
        """What the first layer reads of items with these features, (N, D).

        With the residuals of those among `items` that the encoder was trained with; -1 and later ones have none.
        """
        device = self.user_start.device
        item_ND = self.content(_on(x_NF, device))
        if self.residual is not None:
            trained = np.flatnonzero((items >= 0) & (items < self.residual.num_embeddings))
            item_ND[torch.from_numpy(trained)] += self.residual(torch.from_numpy(items[trained]).to(device))
        return item_ND.cpu().numpy()

    @torch.no_grad()
    def encode_items(
        self, start_ND: np.ndarray, users: list[np.ndarray], states_LVD: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What each layer reads of items with these starts and users, (L, N, D), and their z, (N, D) with unit rows.

        `users` lists the users of each item as rows of `states_LVD`, which holds what each layer reads of V users; a
        list may be empty, as that of an item which is in no graph is.
        """
        device = self.user_start.device
        item_ND, states = _on(start_ND, device), []
        edge_index = _edges(users).to(device)
        for number in range(len(self.layers)):
            states.append(item_ND.cpu().numpy())
            layer = self.item_layer(number)
            if isinstance(layer, nn.Linear):
                item_ND = self._activate(layer(item_ND), number)
            else:
                item_ND = self._activate(layer((_on(states_LVD[number], device), item_ND), edge_index), number)
        return np.stack(states), nn.functional.normalize(item_ND).cpu().numpy()

    def states_of_new(self, x_NF: np.ndarray) -> np.ndarray:
        """What each layer reads of items that are in no graph, (L, N, D): as `Encoded.states_LID`, from features alone.

        As an item without an edge has it: no residual of its own, and no neighbour.
        """
        return self.encode_new(x_NF)[0]

    def encode_new(self, x_NF: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `encode_items`, of items that are in no graph."""
        nobody_LVD = np.zeros((len(self.layers), 0, len(self.user_start)), dtype=np.float32)
        nobody = np.zeros(0, dtype=np.int64)
        start_ND = self.item_starts(x_NF, np.full(len(x_NF), -1))
        return self.encode_items(start_ND, [nobody] * len(x_NF), nobody_LVD)

    @torch.no_grad()
    def encode_users(self, states_LID: "np.ndarray | Sequence[RowSource]", items: list[np.ndarray]) -> np.ndarray:
        """Unit vectors (B, D) of users who are nothing but these lists of item indices; no list may be empty."""
        return nn.functional.normalize(self._user_layers(states_LID, items)[-1]).cpu().numpy()

    @torch.no_grad()
    def user_states(self, states_LID: "np.ndarray | Sequence[RowSource]", items: list[np.ndarray]) -> np.ndarray:
        """What each layer reads of users who are these lists of item indices, (L, B, D)."""
        return np.stack([one.cpu().numpy() for one in self._user_layers(states_LID, items)[:-1]])

    def _user_layers(self, states_LID: "np.ndarray | Sequence[RowSource]", items: list[np.ndarray]) -> list[Tensor]:
        """What users start as, and what each layer makes of them, (B, D) each."""
        device = self.user_start.device
        touched, place_E = np.unique(np.concatenate(items), return_inverse=True)
        edge_index = _edges(np.split(place_E, np.cumsum([len(one) for one in items])[:-1])).to(device)
        users = [self.user_start.expand(len(items), -1)]
        for number in range(len(self.layers)):
            item_mD = _on(np.ascontiguousarray(states_LID[number][touched]), device)
            users.append(self._activate(self.user_layer(number)((item_mD, users[-1]), edge_index), number))
        return users

    def user_layer(self, number: int) -> SAGEConv:
        """What makes layer `number`'s users of its items."""
        return cast(SAGEConv, cast(nn.ModuleDict, self.layers[number])["user"])

    def item_layer(self, number: int) -> SAGEConv | nn.Linear:
        """What makes layer `number`'s items of its users, and of nothing but themselves in the first."""
        return cast(SAGEConv | nn.Linear, cast(nn.ModuleDict, self.layers[number])["item"])

    def _start(self, item_m: Tensor, x_mF: Tensor) -> Tensor:
        content_mD = self.content(x_mF)
        return content_mD if self.residual is None else content_mD + self.residual(item_m)

    def _layer(self, number: int, kind: NodeKind, graph: InteractionGraph, state: dict[str, Tensor]) -> Tensor:
        layer, source = self.user_layer(number) if kind == "user" else self.item_layer(number), state[other_kind(kind)]
        if isinstance(layer, nn.Linear):
            return self._activate(layer(state[kind]), number)
        outputs = [
            layer((source, state[kind][block.rows]), block.adjacency.to(source.device))
            for block in neighbor_blocks(graph, kind)
        ]
        return self._activate(torch.cat(outputs), number)

    def _activate(self, h: Tensor, number: int) -> Tensor:
        return h if number == len(self.layers) - 1 else torch.relu(h)


def _edges(sources: list[np.ndarray]) -> Tensor:
    """One edge from each source in a list to the place of its list, (2, E)."""
    owner_E = np.repeat(np.arange(len(sources)), [len(one) for one in sources])
    return torch.from_numpy(np.stack([np.concatenate([owner_E[:0], *sources]), owner_E]))


def _on(array: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(array).to(device)
