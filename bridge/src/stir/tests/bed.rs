//! Authorities, signers and forgeries.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, date_time_ymd,
};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use super::super::credential::Chain;
use super::super::*;
use crate::dispatch::Query;
use crate::dispatch::query::tests::query;

/// A `TNAuthList` of the service provider 1234.
pub(super) const PROVIDER: &[u8] = b"\x30\x08\xa0\x06\x16\x041234";
const X5U: &str = "https://cert.example.org/a.pem";

type Params = CertificateParams;

/// The time of calls here.
pub(super) fn moment() -> SystemTime {
    query(|_| ()).now
}

pub(super) fn valid(params: &mut Params, from: i32, to: i32) {
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
}

pub(super) fn extension(list: &[u8]) -> CustomExtension {
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 26], list.to_vec())
}

/// An extension of that number among those of PKIX.
pub(super) fn private(number: u64) -> CustomExtension {
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, number], vec![0x30, 0])
}

pub(super) fn p384() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap()
}

pub(super) fn p256() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

fn params(name: &str) -> Params {
    let mut params = Params::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    valid(&mut params, 2020, 2120);
    params
}

/// Somebody who issues certificates.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub(super) pem: String,
    /// Those that are sent along with what it issues.
    along: String,
    /// It alone.
    pub(super) authorities: Authorities,
}

impl Authority {
    pub(super) fn new() -> Self {
        Self::named("root")
    }

    pub(super) fn named(name: &str) -> Self {
        let (mut params, key) = (params(name), p256());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let pem = params.self_signed(&key).unwrap().pem();
        let authorities = Authorities::read(&pem).unwrap();
        Self { issuer: Issuer::new(params, key), pem, along: String::new(), authorities }
    }

    /// Another one below it.
    pub(super) fn issuing(&self) -> Self {
        self.issuing_with(Vec::new())
    }

    /// The same with these in its certificate.
    pub(super) fn issuing_with(&self, extensions: Vec<CustomExtension>) -> Self {
        let (mut params, key) = (params("issuing"), p256());
        params.custom_extensions = extensions;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        let along = pem.clone() + &self.along;
        Self { issuer: Issuer::new(params, key), pem, along, authorities: self.authorities.clone() }
    }

    pub(super) fn signer(&self, change: impl FnOnce(&mut Params)) -> Signer {
        self.signer_with(p256(), change)
    }

    pub(super) fn signer_with(&self, key: KeyPair, change: impl FnOnce(&mut Params)) -> Signer {
        let mut params = params("signer");
        params.custom_extensions = vec![extension(PROVIDER)];
        change(&mut params);
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem() + &self.along;
        Signer { params, key, pem, authorities: self.authorities.clone() }
    }
}

/// Somebody who signs for numbers.
pub(super) struct Signer {
    params: Params,
    key: KeyPair,
    /// His certificate and those between him and the authority.
    pub(super) pem: String,
    /// Those who are to be believed.
    pub(super) authorities: Authorities,
}

impl Signer {
    /// He has signed his certificate himself.
    pub(super) fn alone() -> Self {
        let Self { params, key, authorities, .. } = Authority::new().signer(|_| ());
        let pem = params.self_signed(&key).unwrap().pem();
        Self { params, key, pem, authorities }
    }

    /// He issues a certificate to another, without being an authority.
    pub(super) fn issues(self) -> Self {
        let Self { params, key, pem, authorities } = self;
        Authority { issuer: Issuer::new(params, key), pem: pem.clone(), along: pem, authorities }.signer(|_| ())
    }

    pub(super) fn chain(&self) -> Chain {
        Chain::read(self.pem.as_bytes()).unwrap()
    }
}

/// The first certificate of some PEM.
pub(super) fn der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

/// A call from +15550199 to +15550100 with a token for it, and what can be wrong with that.
pub(super) struct Forgery {
    pub(super) at: SystemTime,
    pub(super) from: String,
    pub(super) request: String,
    pub(super) is_known: bool,
    pub(super) header: Value,
    pub(super) claims: Value,
    pub(super) info: String,
    pub(super) params: String,
    pub(super) key: Vec<u8>,
    /// Text of the claims that is another before and after they are signed.
    pub(super) swap_before: Option<(&'static str, &'static str)>,
    pub(super) swap: Option<(&'static str, &'static str)>,
    pub(super) signature: Option<String>,
    pub(super) compact: bool,
    pub(super) unsigned: bool,
    /// Further headers.
    pub(super) more: Vec<(String, String)>,
}

impl Forgery {
    /// Nothing is wrong.
    pub(super) fn new(signer: &Signer) -> Self {
        Self::of(signer, moment(), X5U)
    }

    pub(super) fn of(signer: &Signer, at: SystemTime, x5u: &str) -> Self {
        Self {
            at,
            from: "+15550199".into(),
            request: "+15550100".into(),
            is_known: false,
            header: json!({"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": x5u}),
            claims: json!({
                "attest": "A",
                "dest": {"tn": ["15550100"]},
                "iat": at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs(),
                "orig": {"tn": "15550199"},
                "origid": "123e4567-e89b-12d3-a456-426655440000",
            }),
            info: x5u.into(),
            params: ";alg=ES256;ppt=\"shaken\"".into(),
            key: signer.key.serialize_der(),
            swap_before: None,
            swap: None,
            signature: None,
            compact: false,
            unsigned: false,
            more: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> u64 {
        self.at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
    }

    pub(super) fn identity(&self) -> String {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let swapped = |text: String, swap: Option<(&str, &str)>| match swap {
            Some((one, other)) => text.replace(one, other),
            None => text,
        };
        let header = encode(&self.header.to_string());
        let claims = swapped(self.claims.to_string(), self.swap_before);
        let random = SystemRandom::new();
        // Keys of another curve sign with it, for a certificate that is not looked at so closely.
        let signature = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.key, &random).map(|key| {
            key.sign(&random, format!("{header}.{}", encode(&claims)).as_bytes()).unwrap().as_ref().to_vec()
        });
        let signature = URL_SAFE_NO_PAD.encode(signature.unwrap_or(vec![0; 64]));
        let signature = self.signature.clone().unwrap_or(signature);
        let claims = encode(&swapped(claims, self.swap));
        let token = if self.compact { format!("..{signature}") } else { format!("{header}.{claims}.{signature}") };
        format!("{token};info=<{}>{}", self.info, self.params)
    }

    pub(super) fn query(&self) -> Query {
        let mut headers = self.more.clone();
        if !self.unsigned {
            headers.push(("Identity".into(), self.identity()));
        }
        query(|query| {
            query.headers = headers;
            query.from.user.clone_from(&self.from);
            query.request.user.clone_from(&self.request);
            query.now = self.at;
        })
    }

    pub(super) fn claim(&self) -> Claim {
        Claim::of(&self.query(), self.is_known)
    }

    /// What comes of it with these certificates.
    pub(super) fn judge(&self, chain: &Chain, authorities: &Authorities) -> Result<(), Failure> {
        let passport = self.claim().passport()?;
        passport.verify(&chain.judge(authorities, self.at)?)
    }
}
