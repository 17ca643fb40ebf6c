use super::*;

/// A sound, its code and what comes of it, by libspandsp 0.0.6; and so of bytes that no encoder wrote.
const SOUND: &[u8] = include_bytes!("../../../tests/data/g722/sound.pcm");
const ENCODED: &[u8] = include_bytes!("../../../tests/data/g722/sound.g722");
const DECODED: &[u8] = include_bytes!("../../../tests/data/g722/sound.decoded.pcm");
const RANDOM: &[u8] = include_bytes!("../../../tests/data/g722/random.g722");
const RANDOM_DECODED: &[u8] = include_bytes!("../../../tests/data/g722/random.decoded.pcm");

fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.as_chunks().0.iter().map(|bytes| i16::from_le_bytes(*bytes)).collect()
}

fn decoded(bytes: &[u8]) -> Vec<i16> {
    let mut samples = vec![0; 2 * bytes.len()];
    assert_eq!(Decoder::default().decode(bytes, &mut samples), samples.len());
    samples
}

fn encoded(samples: &[i16]) -> Vec<u8> {
    let mut bytes = vec![0; samples.len() / 2];
    assert_eq!(Encoder::default().encode(samples, &mut bytes), bytes.len());
    bytes
}

fn tone(frequency: f64, rate: f64, count: usize) -> Vec<i16> {
    let step = frequency * std::f64::consts::TAU / rate;
    (0..count).map(|n| ((n as f64 * step).sin() * 10_000.0) as i16).collect()
}

/// The power at one frequency against all there is.
fn share(samples: &[i16], frequency: f64, rate: f64) -> f64 {
    let step = frequency * std::f64::consts::TAU / rate;
    let (mut re, mut im, mut all) = (0.0, 0.0, 1.0);
    for (n, sample) in samples.iter().enumerate() {
        let (sample, (sin, cos)) = (f64::from(*sample), (n as f64 * step).sin_cos());
        (re, im, all) = (re + sample * cos, im + sample * sin, all + sample * sample);
    }
    2.0 * (re * re + im * im) / (all * samples.len() as f64)
}

#[test]
fn another_implementation_says_the_same_bit_by_bit() {
    let first_difference = |ours: &[i16], theirs: &[i16]| {
        assert_eq!(ours.len(), theirs.len());
        ours.iter().zip(theirs).enumerate().find(|(_, (ours, theirs))| ours != theirs).map(|(at, _)| at)
    };
    assert_eq!(encoded(&samples(SOUND)), ENCODED);
    assert_eq!(first_difference(&decoded(ENCODED), &samples(DECODED)), None);
    assert_eq!(first_difference(&decoded(RANDOM), &samples(RANDOM_DECODED)), None);
}

#[test]
fn a_stream_may_be_cut_anywhere() {
    let sound = samples(SOUND);
    let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
    let (mut bytes, mut again) = (Vec::new(), Vec::new());
    for length in (1..).take_while(|length| length * (length + 1) <= sound.len()) {
        let from = length * (length - 1);
        let mut piece = vec![0; length];
        encoder.encode(&sound[from..from + 2 * length], &mut piece);
        let mut heard = vec![0; 2 * length];
        decoder.decode(&piece, &mut heard);
        bytes.extend(piece);
        again.extend(heard);
    }
    assert_eq!(bytes, ENCODED[..bytes.len()]);
    assert!(again == samples(DECODED)[..again.len()]);
}

#[test]
fn wide_is_wide_and_narrow_is_what_is_low() {
    for frequency in [300.0, 1_000.0, 3_000.0, 5_000.0, 6_500.0] {
        let bytes = encoded(&tone(frequency, 16_000.0, 16_000));
        let heard = decoded(&bytes);
        let share_heard = share(&heard[1_600..], frequency, 16_000.0);
        assert!(share_heard > 0.95, "{frequency} Hz: {share_heard}");

        let mut narrow = vec![0; bytes.len()];
        Decoder::default().decode_narrow(&bytes, &mut narrow);
        if frequency < 3_500.0 {
            assert!(share(&narrow[800..], frequency, 8_000.0) > 0.95, "{frequency} Hz, lower band");
        } else {
            assert!(crate::frame::level(&narrow[800..]) > 30, "{frequency} Hz, lower band");
        }
    }
}

#[test]
fn what_is_narrow_is_widened_with_hardly_an_image() {
    for frequency in [300.0, 1_000.0, 3_000.0] {
        let narrow = tone(frequency, 8_000.0, 8_000);
        let mut wide = vec![0; 16_000];
        assert_eq!(Decoder::default().widen(&narrow, &mut wide), 16_000);
        // The filters part at 4 kHz slowly: what is close below it has an image 20 dB down.
        let share = share(&wide[160..], frequency, 16_000.0);
        assert!(share > 0.99, "{frequency} Hz: {share}");
        assert!(crate::frame::level(&wide).abs_diff(crate::frame::level(&narrow)) <= 1, "{frequency} Hz");
    }
}

#[test]
fn nothing_overflows_whatever_comes() {
    let mut random = crate::random::Random::new(7);
    let mut wild = move |n: usize| match n / 4_000 % 5 {
        0 => random.next() as u8,
        1 => 0x20,
        2 => 0x84,
        3 => [0xa0, 0x04][n % 2],
        _ => 0x80 | random.next() as u8 & 0x3f,
    };
    let bytes: Vec<u8> = (0..100_000).map(&mut wild).collect();
    let loud = decoded(&bytes).into_iter().enumerate().map(|(n, sample)| match n / 3_000 % 4 {
        0 => sample,
        1 => i16::MAX,
        2 => [i16::MIN, i16::MAX][n % 2],
        _ => [i16::MIN, i16::MAX][n / 2 % 2],
    });
    let loud: Vec<i16> = loud.collect();
    let again = decoded(&encoded(&loud));
    assert_eq!(again.len(), loud.len());
}

#[test]
fn lengths_that_do_not_match() {
    let mut bytes = [0; 4];
    assert_eq!(Encoder::default().encode(&[1; 7], &mut bytes), 3);
    assert_eq!(Encoder::default().encode(&[1; 20], &mut bytes), 4);
    let mut samples = [0; 5];
    assert_eq!(Decoder::default().decode(&[1; 7], &mut samples), 4);
    assert_eq!(Decoder::default().decode(&[], &mut samples), 0);
}
