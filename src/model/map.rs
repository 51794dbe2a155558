//! What every learned map can do.

use burn::tensor::{Int, Tensor};

/// What a map is conditioned on, one entry an item. `R` is the rank of a state: 2 for 2D worlds (`[B, D]`), 4 for
/// images (`[B, C, H, W]`).
#[derive(Debug, Clone)]
pub struct Condition<const R: usize> {
    /// Time of the conditioning state, `[B]`. At 0 the state carries nothing: pass zeros for it.
    pub t: Tensor<1>,
    /// The conditioning state, shaped as the states that are mapped.
    pub x_t: Tensor<R>,
    /// Class, `[B]`, where the map knows classes.
    pub label: Option<Tensor<1, Int>>,
    /// Guidance scale, `[B]`, where the map was trained with guidance folded in.
    pub guidance_scale: Option<Tensor<1>>,
}

/// A Meta Flow Map `X_{s,u}(x; t, x_t) = x + (u - s) v(s, u, x; t, x_t)` (methods.md 4).
pub trait MetaFlowMap<const R: usize> {
    /// `v(s, u, x; t, x_t)`: the mean velocity of the way from time `s` (`[B]`) to `u` (`[B]`); at `s = u` the
    /// velocity of the conditional flow, which at `t = 0` is the marginal velocity.
    fn average_velocity(
        &self,
        s: Tensor<1>,
        u: Tensor<1>,
        x: Tensor<R>,
        condition: &Condition<R>,
    ) -> Tensor<R>;

    /// `X_{s,u}(x; t, x_t)`. From `s = 0`, `u = 1` and standard normal `x`: one draw from `p(x_1 | x_t)` an item.
    fn flow_map(
        &self,
        s: Tensor<1>,
        u: Tensor<1>,
        x: Tensor<R>,
        condition: &Condition<R>,
    ) -> Tensor<R> {
        let mut shape = [1; R];
        shape[0] = s.dims()[0];
        let step = (u.clone() - s.clone()).reshape(shape);
        x.clone() + step * self.average_velocity(s, u, x, condition)
    }
}
