//! Training: Burn's gradients, our order of rows and steps.

use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{Device, Gradients, Tensor, TensorData};

use crate::{Layer, NetError, Options};

/// What a net is to give.
pub(crate) enum Aim<'a> {
    Classes { classes: &'a [u32], count: usize, weights: &'a [f32] },
    Same,
}

/// Share of rows held out, and passes without a better loss on them that end training.
const HELD_OUT: usize = 10;
const PATIENCE: usize = 8;

/// Trains a net.
pub(crate) fn train(
    rows: &[f32],
    width: usize,
    aim: &Aim<'_>,
    options: &Options,
    each: &mut dyn FnMut(usize, f32),
) -> Result<Vec<Layer>, NetError> {
    let n = rows.len().checked_div(width).unwrap_or(0);
    let fits = n * width == rows.len() && matches!(aim, Aim::Same)
        || matches!(aim, Aim::Classes { classes, .. } if classes.len() == n);
    if n < 2 * HELD_OUT || !fits {
        return Err(NetError(format!("{n} rows of {width} numbers are too few, or they do not fit")));
    }
    if rows.iter().any(|x| !x.is_finite()) {
        return Err(NetError("a number is missing or infinite".into()));
    }
    let outputs = match aim {
        Aim::Classes { count, .. } => *count,
        Aim::Same => width,
    };
    let device = Device::flex().autodiff();
    let mut rng = Rng(options.seed ^ 0x9e37_79b9_7f4a_7c15);
    let mut net = Trained::new(width, &options.hidden, outputs, &mut rng);
    let mut order: Vec<u32> = (0..n as u32).collect();
    rng.shuffle(&mut order);
    let held = order.split_off(n - n / HELD_OUT);
    let (mut best, mut best_loss, mut since) = (net.layers(), f32::INFINITY, 0);
    for epoch in 1..=options.epochs.max(1) {
        rng.shuffle(&mut order);
        for batch in order.chunks(options.batch.max(1)) {
            let (x, goal) = (net.input(rows, width, batch, &device), Goal::of(rows, width, aim, batch, &device));
            let (tensors, out) = net.forward(x, &device);
            let grads = goal.loss(out).backward();
            net.step(&tensors, &grads, options)?;
        }
        let loss = held_out_loss(&net, rows, width, aim, &held, &device)?;
        each(epoch, loss);
        if !loss.is_finite() {
            return Err(NetError("the loss is no number: the step size is too large for these rows".into()));
        }
        if loss < best_loss {
            (best, best_loss, since) = (net.layers(), loss, 0);
        } else {
            since += 1;
            if since >= PATIENCE {
                break;
            }
        }
    }
    Ok(best)
}

fn held_out_loss(
    net: &Trained,
    rows: &[f32],
    width: usize,
    aim: &Aim<'_>,
    held: &[u32],
    device: &Device,
) -> Result<f32, NetError> {
    let (mut sum, mut count) = (0f64, 0usize);
    for batch in held.chunks(4_096) {
        let (x, goal) = (net.input(rows, width, batch, device), Goal::of(rows, width, aim, batch, device));
        let loss = goal.loss(net.forward(x, device).1);
        sum += f64::from(number(loss)?) * batch.len() as f64;
        count += batch.len();
    }
    Ok((sum / count.max(1) as f64) as f32)
}

fn number(t: Tensor<1>) -> Result<f32, NetError> {
    numbers(t)?.first().copied().ok_or_else(|| NetError("a loss without a number".into()))
}

fn numbers<const D: usize>(t: Tensor<D>) -> Result<Vec<f32>, NetError> {
    t.into_data().try_to_vec::<f32>().map_err(|e| NetError(format!("{e:?}")))
}

/// What should come out of a batch.
enum Goal {
    /// One hot, times the row's weight, over the sum of weights.
    Classes(Tensor<2>),
    Same(Tensor<2>),
}

impl Goal {
    fn of(rows: &[f32], width: usize, aim: &Aim<'_>, batch: &[u32], device: &Device) -> Goal {
        match aim {
            Aim::Same => Goal::Same(take(rows, width, batch, device)),
            Aim::Classes { classes, count, weights } => {
                let total: f32 = batch.iter().map(|r| weights[*r as usize]).sum();
                let mut hot = vec![0f32; batch.len() * count];
                for (i, r) in batch.iter().enumerate() {
                    hot[i * count + classes[*r as usize] as usize] =
                        weights[*r as usize] / total.max(f32::MIN_POSITIVE);
                }
                Goal::Classes(Tensor::from_data(TensorData::new(hot, [batch.len(), *count]), device))
            }
        }
    }

    fn loss(self, out: Tensor<2>) -> Tensor<1> {
        match self {
            Goal::Classes(hot) => (log_softmax(out, 1) * hot).sum().neg(),
            Goal::Same(x) => {
                let off = out - x;
                (off.clone() * off).mean()
            }
        }
    }
}

fn take(rows: &[f32], width: usize, batch: &[u32], device: &Device) -> Tensor<2> {
    let mut x = Vec::with_capacity(batch.len() * width);
    for r in batch {
        x.extend_from_slice(&rows[*r as usize * width..(*r as usize + 1) * width]);
    }
    Tensor::from_data(TensorData::new(x, [batch.len(), width]), device)
}

/// Numbers that are learned, with Adam's two means.
struct Learned {
    value: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Learned {
    fn new(value: Vec<f32>) -> Learned {
        let n = value.len();
        Learned { value, first: vec![0.0; n], second: vec![0.0; n] }
    }

    fn step(&mut self, grad: &[f32], t: i32, o: &Options) {
        let (fix1, fix2) = (1.0 - 0.9f32.powi(t), 1.0 - 0.999f32.powi(t));
        for (((x, m), v), g) in self.value.iter_mut().zip(&mut self.first).zip(&mut self.second).zip(grad) {
            *m += 0.1 * (g - *m);
            *v += 0.001 * (g * g - *v);
            *x -= o.rate * (*m / fix1 / ((*v / fix2).sqrt() + 1e-8) + o.decay * *x);
        }
    }
}

/// A net in training: weights as Burn multiplies them, one row a number that comes in.
struct Trained {
    sizes: Vec<usize>,
    weights: Vec<Learned>,
    bias: Vec<Learned>,
    steps: i32,
}

type Tensors = Vec<(Tensor<2>, Tensor<2>)>;

impl Trained {
    fn new(width: usize, hidden: &[usize], outputs: usize, rng: &mut Rng) -> Trained {
        let sizes: Vec<usize> = [width].iter().chain(hidden).chain([&outputs]).map(|s| (*s).max(1)).collect();
        let (mut weights, mut bias) = (Vec::new(), Vec::new());
        for pair in sizes.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            // He et al. 2015: for what a ReLU follows.
            let spread = (6.0 / from as f32).sqrt();
            weights.push(Learned::new((0..from * to).map(|_| (2.0 * rng.unit() - 1.0) * spread).collect()));
            // A little above zero, so that no unit of a narrow layer is dead from the beginning.
            bias.push(Learned::new(vec![0.1; to]));
        }
        Trained { sizes, weights, bias, steps: 0 }
    }

    fn input(&self, rows: &[f32], width: usize, batch: &[u32], device: &Device) -> Tensor<2> {
        take(rows, width, batch, device)
    }

    fn forward(&self, mut x: Tensor<2>, device: &Device) -> (Tensors, Tensor<2>) {
        let mut tensors = Vec::new();
        let last = self.weights.len() - 1;
        for (i, (w, b)) in self.weights.iter().zip(&self.bias).enumerate() {
            let (from, to) = (self.sizes[i], self.sizes[i + 1]);
            let w: Tensor<2> = Tensor::from_data(TensorData::new(w.value.clone(), [from, to]), device).require_grad();
            let b: Tensor<2> = Tensor::from_data(TensorData::new(b.value.clone(), [1, to]), device).require_grad();
            x = x.matmul(w.clone()) + b.clone();
            if i < last {
                x = relu(x);
            }
            tensors.push((w, b));
        }
        (tensors, x)
    }

    fn step(&mut self, tensors: &Tensors, grads: &Gradients, o: &Options) -> Result<(), NetError> {
        self.steps += 1;
        for (i, (w, b)) in tensors.iter().enumerate() {
            for (tensor, learned) in [(w, &mut self.weights[i]), (b, &mut self.bias[i])] {
                let grad = tensor.grad(grads).ok_or_else(|| NetError("a layer without a gradient".into()))?;
                learned.step(&numbers(grad)?, self.steps, o);
            }
        }
        Ok(())
    }

    /// As they are kept: one row a number that goes out.
    fn layers(&self) -> Vec<Layer> {
        let layer = |(i, (w, b)): (usize, (&Learned, &Learned))| {
            let (from, to) = (self.sizes[i], self.sizes[i + 1]);
            let weights =
                (0..to).flat_map(|o| (0..from).map(move |k| (k, o))).map(|(k, o)| w.value[k * to + o]).collect();
            Layer { weights, bias: b.value.clone() }
        };
        self.weights.iter().zip(&self.bias).enumerate().map(layer).collect()
    }
}

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// From 0 to 1.
    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }
    fn shuffle(&mut self, list: &mut [u32]) {
        for i in (1..list.len()).rev() {
            list.swap(i, (self.next() % (i as u64 + 1)) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;
    use crate::{Layer, NetError, Options, autoencoder, classifier};

    /// Plain arithmetic over the layers.
    fn run(layers: &[Layer], row: &[f32]) -> Vec<f32> {
        let mut x = row.to_vec();
        for (i, l) in layers.iter().enumerate() {
            let n = x.len();
            let sum = |(o, b): (usize, &f32)| {
                b + l.weights[o * n..(o + 1) * n].iter().zip(&x).map(|(w, x)| w * x).sum::<f32>()
            };
            let y: Vec<f32> = l.bias.iter().enumerate().map(sum).collect();
            x = if i + 1 < layers.len() { y.into_iter().map(|v| v.max(0.0)).collect() } else { y };
        }
        x
    }

    fn rows(n: usize, seed: u64) -> Vec<f32> {
        let mut rng = Rng(seed);
        (0..n * 2).map(|_| rng.unit() * 2.0 - 1.0).collect()
    }

    #[test]
    fn a_net_learns_what_no_line_divides_and_twice_the_same() {
        let x = rows(2_000, 1);
        let y: Vec<u32> = x.chunks(2).map(|r| u32::from((r[0] > 0.0) != (r[1] > 0.0))).collect();
        let options = Options { hidden: vec![16, 16], epochs: 40, batch: 64, rate: 5e-3, ..Options::default() };
        let train = || classifier(&x, 2, (&y, 2), &vec![1.0; y.len()], &options, &mut |_, _| {}).unwrap();
        let net = train();
        let right = x
            .chunks(2)
            .zip(&y)
            .filter(|(r, y)| {
                u32::from({
                    let o = run(&net, r);
                    o[1] > o[0]
                }) == **y
            })
            .count();
        assert!(right > 1_900, "{right} of 2000");
        assert_eq!(net, train());
    }

    #[test]
    fn an_autoencoder_cannot_give_back_what_it_never_saw() {
        let line: Vec<f32> = rows(1_000, 2).chunks(2).flat_map(|r| [r[0], r[0], -r[0], 2.0 * r[0]]).collect();
        let options = Options { hidden: vec![8, 4, 8], epochs: 60, batch: 64, rate: 5e-3, ..Options::default() };
        let mut losses = Vec::new();
        let net = autoencoder(&line, 4, &options, &mut |_, loss| losses.push(loss)).unwrap();
        assert!(losses[losses.len() - 1] < losses[0] / 4.0, "{losses:?}");
        let off = |row: [f32; 4]| run(&net, &row).iter().zip(row).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
        assert!(off([0.5, 0.5, -0.5, 1.0]) * 5.0 < off([0.5, -0.5, 0.5, -1.0]));
    }

    #[test]
    fn what_cannot_be_learned_from_is_refused() {
        let refused = |r: Result<Vec<Layer>, NetError>| r.unwrap_err().0;
        let o = Options::default();
        assert!(refused(autoencoder(&[1.0; 8], 4, &o, &mut |_, _| {})).contains("too few"));
        assert!(refused(autoencoder(&[f32::NAN; 400], 4, &o, &mut |_, _| {})).contains("missing"));
        let (x, y) = ([0.5; 400], [7u32; 100]);
        assert!(refused(classifier(&x, 4, (&y, 2), &[1.0; 100], &o, &mut |_, _| {})).contains("classes"));
    }
}
