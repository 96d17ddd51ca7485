#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace objects {

/// An IPv4 or IPv6 address with a prefix, as PostgreSQL's inet and cidr order them: IPv4 first,
/// then by the bits both prefixes cover, then by prefix, then by all bits.
struct Network {
  bool v6 = false;
  std::uint8_t prefix = 32;              ///< bits: 0 to 32, or 128
  std::array<std::uint8_t, 16> bytes{};  ///< IPv4 uses the first four

  [[nodiscard]] std::uint8_t bits() const { return v6 ? 128 : 32; }
  bool operator==(const Network&) const = default;
  std::strong_ordering operator<=>(const Network& other) const;
  /// Strictly: a network does not contain itself (PostgreSQL's >>).
  [[nodiscard]] bool contains(const Network& other) const;
};

/// No prefix, no leading zeros. An IPv4-mapped address stays IPv6.
std::optional<Network> parse_ip(std::string_view text);
/// The 32 bits as an IPv4 address.
std::optional<Network> ip_of_number(double number);
/// `address/length`; bits behind the prefix are cleared.
std::optional<Network> parse_subnet(std::string_view text);
/// Canonical, lower case, compressed; the prefix is written where `with_prefix` or it is not full.
std::string to_string(const Network& network, bool with_prefix);

struct Mac {
  std::array<std::uint8_t, 6> bytes{};
  auto operator<=>(const Mac&) const = default;
};

/// Six groups of one or two hex digits between `:` or `-`, or twelve bare digits.
std::optional<Mac> parse_mac(std::string_view text);
std::optional<Mac> mac_of_number(double number);
/// `aa:bb:cc:dd:ee:ff`.
std::string to_string(const Mac& mac);

}  // namespace objects
