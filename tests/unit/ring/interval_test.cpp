#include "ring/interval.hpp"

#include <array>
#include <random>

#include <doctest/doctest.h>
#include <openssl/bn.h>

namespace {

using ring::Algorithm;
using ring::BigNumber;
using ring::Digest;
using ring::Interval;

constexpr std::array kAlgorithms{Algorithm::sha256, Algorithm::sha1, Algorithm::md5};

/// The naive twin: whole numbers, OpenSSL's long division.
class Naive {
 public:
  explicit Naive(const std::string& interval_hex) { BN_hex2bn(&interval_, interval_hex.c_str()); }
  Naive(const Naive&) = delete;
  Naive& operator=(const Naive&) = delete;
  ~Naive() {
    BN_free(interval_);
    BN_free(number_);
    BN_CTX_free(context_);
  }
  std::uint64_t divide(const Digest& digest) {
    BN_bin2bn(digest.bytes.data(), static_cast<int>(digest.size), number_);
    BN_div(number_, nullptr, number_, interval_, context_);
    return BN_get_word(number_);
  }
  /// The hash `vnode * interval + offset`; false where it does not fit.
  bool at_edge(std::uint64_t vnode, int offset, Digest& digest) {
    BN_set_word(number_, vnode);
    BN_mul(number_, number_, interval_, context_);
    if (offset >= 0) BN_add_word(number_, static_cast<BN_ULONG>(offset));
    if (offset < 0 && BN_is_zero(number_)) return false;
    if (offset < 0) BN_sub_word(number_, static_cast<BN_ULONG>(-offset));
    return BN_bn2binpad(number_, digest.bytes.data(), static_cast<int>(digest.size)) >= 0;
  }

 private:
  BIGNUM* interval_ = nullptr;
  BIGNUM* number_ = BN_new();
  BN_CTX* context_ = BN_CTX_new();
};

Digest random_digest(Algorithm algorithm, std::mt19937_64& random) {
  Digest digest;
  digest.size = ring::digest_bytes(algorithm);
  for (std::size_t i = 0; i < digest.size; ++i)
    digest.bytes[i] = static_cast<std::uint8_t>(random());
  return digest;
}

}  // namespace

TEST_CASE("interval: random hashes and every kind of edge agree with long division") {
  std::mt19937_64 random(20140611);
  for (int round = 0; round < 600; ++round) {
    const Algorithm algorithm = kAlgorithms[random() % kAlgorithms.size()];
    const auto vnodes = static_cast<std::uint32_t>(1 + (random() % 100'000'000 >> random() % 27));
    const BigNumber whole = Interval::compute(algorithm, vnodes);
    CAPTURE(whole.even_hex());
    CAPTURE(vnodes);
    const auto interval = Interval::make(algorithm, whole);
    REQUIRE(interval);
    Naive naive(whole.even_hex());
    for (int i = 0; i < 20; ++i) {
      Digest digest = random_digest(algorithm, random);
      CHECK(interval->divide(digest) == naive.divide(digest));
      const std::uint64_t vnode = random() % (vnodes + 1ull);
      for (const int offset : {-1, 0, 1})
        if (naive.at_edge(vnode, offset, digest))
          CHECK(interval->divide(digest) == naive.divide(digest));
    }
    Digest last = random_digest(algorithm, random);
    last.bytes.fill(0xff);
    CHECK(interval->divide(last) == naive.divide(last));
  }
}

TEST_CASE("interval: any interval will do, not only one computed from a count") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 3000; ++round) {
    const Algorithm algorithm = kAlgorithms[random() % kAlgorithms.size()];
    Digest raw = random_digest(algorithm, random);
    if (round % 3 == 0) raw.bytes[0] = 0;
    if (round % 5 == 0) std::fill(raw.bytes.begin() + 8, raw.bytes.end(), std::uint8_t{0});
    if (round % 7 == 0) std::fill(raw.bytes.begin(), raw.bytes.end(), std::uint8_t{0xff});
    const BigNumber whole = BigNumber::from_bytes({raw.bytes.data(), raw.size});
    const auto interval = Interval::make(algorithm, whole);
    if (!interval) continue;
    CAPTURE(whole.even_hex());
    Naive naive(whole.even_hex());
    Digest digest = random_digest(algorithm, random);
    CHECK(interval->divide(digest) == naive.divide(digest));
    for (const std::uint64_t vnode : {1, 2, 3, 255})
      for (const int offset : {-1, 0, 1})
        if (naive.at_edge(vnode, offset, digest))
          CHECK(interval->divide(digest) == naive.divide(digest));
  }
}

TEST_CASE("interval: one that makes no ring is refused") {
  CHECK(!Interval::make(Algorithm::md5, BigNumber{}));
  CHECK(!Interval::make(Algorithm::md5, *BigNumber::from_hex("1")));
  CHECK(!Interval::make(Algorithm::sha256, *BigNumber::from_hex("ffffffffffffffff")));
  // A sha256 interval in an md5 ring: wider than any of its hashes.
  CHECK(!Interval::make(Algorithm::md5, Interval::compute(Algorithm::sha256, 12)));
}
