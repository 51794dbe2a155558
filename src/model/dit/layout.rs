//! Names and shapes of the weights, as the reference's files have them.

use super::DitConfig;

impl DitConfig {
    /// `(name, shape)` of every tensor of the weights. Linear weights are `[outputs, inputs]`, patch weights
    /// `[hidden, C, patch, patch]`.
    pub fn layout(&self) -> Vec<(String, Vec<usize>)> {
        let mut list = List(Vec::new());
        let d = self.hidden_size;
        self.patches("x_embedder", &mut list);
        self.patches("x_cond_embedder", &mut list);
        list.linear("x_cond_adaLN.1", d, 2 * d);
        for name in TIMES {
            list.linear(&format!("{name}.mlp.0"), Self::TIME_FEATURES, d);
            list.linear(&format!("{name}.mlp.2"), d, d);
        }
        list.add(
            "y_embedder.embedding_table.weight",
            &[self.label_dim + 1, d],
        );
        if self.has_guidance() {
            list.add(GUIDANCE, &[self.guidance_rows(), d]);
        }
        list.add("pos_embed", &[1, self.tokens(), d]);
        for i in 0..self.depth {
            self.block(&format!("blocks.{i}"), &mut list);
        }
        list.linear("final_layer.linear", d, self.final_numbers());
        list.linear("final_layer.adaLN_modulation.1", d, 2 * d);
        list.0
    }

    /// Numbers that the final layer puts out for a patch.
    pub(super) const fn final_numbers(&self) -> usize {
        self.patch_size * self.patch_size * self.out_channels()
    }

    fn patches(&self, name: &str, list: &mut List) {
        let (p, d) = (self.patch_size, self.hidden_size);
        list.add(&format!("{name}.proj.weight"), &[d, self.in_channels, p, p]);
        list.add(&format!("{name}.proj.bias"), &[d]);
    }

    fn block(&self, name: &str, list: &mut List) {
        let d = self.hidden_size;
        let head = d / self.num_heads;
        let attention = self.attention_name(name);
        if self.use_joint_attention {
            self.patches(&format!("{name}.x_cond_embedder"), list);
            list.add(&format!("{name}.pos_embed"), &[1, self.tokens(), d]);
            list.linear(&format!("{attention}.kv_cond"), d, 2 * d);
        }
        list.linear(&format!("{attention}.qkv"), d, 3 * d);
        list.linear(&format!("{attention}.proj"), d, d);
        if self.qk_norm {
            list.add(&format!("{attention}.q_norm.scale"), &[head]);
            list.add(&format!("{attention}.k_norm.scale"), &[head]);
            if self.use_joint_attention {
                list.add(&format!("{attention}.k_cond_norm.scale"), &[head]);
            }
        }
        list.linear(&format!("{name}.mlp.fc1"), d, Self::MLP_RATIO * d);
        list.linear(&format!("{name}.mlp.fc2"), Self::MLP_RATIO * d, d);
        let modulation = self.modulations() * d;
        list.linear(&format!("{name}.adaLN_modulation.1"), d, modulation);
    }

    /// A block's attention goes by another name where it is joint.
    pub(super) fn attention_name(&self, block: &str) -> String {
        let joint = if self.use_joint_attention {
            "joint_"
        } else {
            ""
        };
        format!("{block}.{joint}attn")
    }
}

/// The time embedders.
const TIMES: [&str; 5] = [
    "s_embedder",
    "t_embedder",
    "t_cond_embedder",
    "s_embedder_second",
    "t_embedder_second",
];

/// The table of guidance scales.
pub const GUIDANCE: &str = "guidance_embedder.embedding_table.weight";

struct List(Vec<(String, Vec<usize>)>);

impl List {
    fn add(&mut self, name: &str, shape: &[usize]) {
        self.0.push((name.to_owned(), shape.to_vec()));
    }

    fn linear(&mut self, name: &str, inputs: usize, outputs: usize) {
        self.add(&format!("{name}.weight"), &[outputs, inputs]);
        self.add(&format!("{name}.bias"), &[outputs]);
    }
}
