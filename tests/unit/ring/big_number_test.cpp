#include "ring/big_number.hpp"

#include <doctest/doctest.h>

using ring::BigNumber;

TEST_CASE("big number: hexadecimal of either case, padded to even digits when printed") {
  CHECK(BigNumber::from_hex("0")->even_hex() == "00");
  CHECK(BigNumber::from_hex("fFf")->even_hex() == "0fff");
  CHECK(BigNumber::from_hex("000123456789aBCDEF")->even_hex() == "0123456789abcdef");
  CHECK(BigNumber::from_hex(std::string(64, 'F')) == BigNumber::ones(256));
}

TEST_CASE("big number: what is not hexadecimal is refused") {
  for (const char* text : {"", "0x12", "12 ", "-1", "g"}) CHECK(!BigNumber::from_hex(text));
  CHECK(!BigNumber::from_hex("1" + std::string(64, '0')));
}

TEST_CASE("big number: products and quotients") {
  const BigNumber ones = BigNumber::ones(256);
  CHECK(ones.divided_by(3).times(3) == ones);
  CHECK(ones.divided_by(0xffffffff).bit_length() == 225);
  CHECK(BigNumber::from_hex("ffffffffffffffff")->times(0xffffffff).even_hex() ==
        "fffffffeffffffff00000001");
  CHECK(ones.divided_by(2) < ones);
  CHECK(BigNumber{}.is_zero());
}

TEST_CASE("big number: bits from any place") {
  const BigNumber number = *BigNumber::from_hex("123456789abcdef0fedcba9876543210");
  CHECK(number.bits_from(0) == 0xfedcba9876543210);
  CHECK(number.bits_from(4) == 0x0fedcba987654321);
  CHECK(number.bits_from(64) == 0x123456789abcdef0);
  CHECK(number.bits_from(100) == 0x1234567);
}
