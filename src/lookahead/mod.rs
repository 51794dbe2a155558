//! Ways to look from `x_t` to `x1`. Must not know rewards or screens.
//!
//! Every source draws from `p(x_1 | x_t)`, or approximates it, at its own cost:
//!
//! | source | network calls a draw | what it is |
//! |---|---|---|
//! | one-step | 1 | `X_{0,1}(eps; t, x_t)` of a Meta Flow Map |
//! | k-step:K | K | the same map composed over `linspace(0, 1, K + 1)` |
//! | glass:S | 2 S | midpoint rule on the GLASS ODE of the marginal velocity |
//! | sde:S | S | ancestral steps of the memoryless SDE from `t` to 1 |
//! | exact | 0 | the closed form of a Gaussian mixture |

mod draw;
mod image;
pub mod images;
mod path;
mod rollout;
mod source;
mod tensor;

pub use draw::{LookaheadError, NoiseKey, Velocity, draw};
pub use image::{glass_velocity, marginal_condition, posterior_draws};
pub use images::{
    ImageQuestion, ImageSampler, RunningImage, draw_images, draw_images_on_device, generate_images,
    mean_image, noised_image,
};
pub use path::{probability_flow_path, state_on_path};
pub use source::{ParseSourceError, Source};
pub use tensor::draw_on_device;
