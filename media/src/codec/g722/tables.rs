//! The tables of ITU-T G.722, under the names it gives them, for the 15 bit scale of its arithmetic.

/// What the lower band misses by, against the step, in 4096ths: the upper ends of thirty intervals (Table 14, `Q6`).
pub(super) const LOW_LEVELS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1_023, 1_121, 1_219, 1_339,
    1_458, 1_612, 1_765, 1_980, 2_195, 2_557, 2_919,
];

/// The same of the upper band, whose two intervals have one border (`Q2`).
pub(super) const HIGH_LEVEL: i32 = 564;

/// The step's logarithm grows by so much after a codeword of the lower band (`WL` of `RL42`), found by its upper four bits.
pub(super) const LOW_GROWTH: [i32; 16] =
    [-60, 3_042, 1_198, 538, 334, 172, 58, -30, 3_042, 1_198, 538, 334, 172, 58, -30, -60];

/// The same of the upper band (`WH` of `RH2`).
pub(super) const HIGH_GROWTH: [i32; 4] = [798, -214, 798, -214];

/// Powers of two in 32 steps (`ILB`).
pub(super) const POWERS: [i32; 32] = [
    2_048, 2_093, 2_139, 2_186, 2_233, 2_282, 2_332, 2_383, 2_435, 2_489, 2_543, 2_599, 2_656, 2_714, 2_774, 2_834,
    2_896, 2_960, 3_025, 3_091, 3_158, 3_228, 3_298, 3_371, 3_444, 3_520, 3_597, 3_676, 3_756, 3_838, 3_922, 4_008,
];

/// What a codeword of the lower band stands for, by its upper four bits (`QM4`): that is what the predictor learns from, in
/// every mode of the codec alike.
pub(super) const LOW_4: [i32; 16] =
    [0, -20_456, -12_896, -8_968, -6_288, -4_240, -2_584, -1_200, 20_456, 12_896, 8_968, 6_288, 4_240, 2_584, 1_200, 0];

/// What it stands for by all of its bits (`QM6`).
pub(super) const LOW_6: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192, -10_232, -9_360,
    -8_576, -7_856, -7_192, -6_576, -6_000, -5_456, -4_944, -4_464, -4_008, -3_576, -3_168, -2_776, -2_400, -2_032,
    -1_688, -1_360, -1_040, -728, 24_808, 21_904, 19_008, 16_704, 14_984, 13_512, 12_280, 11_192, 10_232, 9_360, 8_576,
    7_856, 7_192, 6_576, 6_000, 5_456, 4_944, 4_464, 4_008, 3_576, 3_168, 2_776, 2_400, 2_032, 1_688, 1_360, 1_040,
    728, 432, 136, -432, -136,
];

/// What a codeword of the upper band stands for (`QM2`).
pub(super) const HIGH_2: [i32; 4] = [-7_408, -1_616, 7_408, 1_616];

/// One half of the mirror filters (Table 11); the other is the same backwards.
pub(super) const MIRROR: [i32; 12] = [3, -11, 12, 32, -210, 951, 3_876, -805, 362, -156, 53, -11];
