#include "objects/address.hpp"

#include <arpa/inet.h>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace objects {
namespace {

/// Compares the first `bits` bits.
std::strong_ordering compare_bits(const Network& a, const Network& b, unsigned bits) {
  for (unsigned i = 0; i < bits / 8; ++i)
    if (a.bytes[i] != b.bytes[i]) return a.bytes[i] <=> b.bytes[i];
  if (bits % 8 == 0) return std::strong_ordering::equal;
  const unsigned shift = 8 - bits % 8;
  return a.bytes[bits / 8] >> shift <=> b.bytes[bits / 8] >> shift;
}

std::optional<std::uint64_t> whole_number(double number, double below) {
  if (!(number >= 0 && number < below) || number != std::floor(number)) return std::nullopt;
  return static_cast<std::uint64_t>(number);
}

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') return static_cast<unsigned>((c | 0x20) - 'a' + 10);
  return std::nullopt;
}

/// One or two hex digits at the front of `text`, which they leave.
std::optional<std::uint8_t> take_byte(std::string_view& text, bool exactly_two) {
  unsigned byte = 0;
  std::size_t count = 0;
  for (; count < 2 && count < text.size(); ++count) {
    const auto digit = hex_digit(text[count]);
    if (!digit) break;
    byte = byte << 4 | *digit;
  }
  if (count == 0 || (exactly_two && count != 2)) return std::nullopt;
  text.remove_prefix(count);
  return static_cast<std::uint8_t>(byte);
}

}  // namespace

std::strong_ordering Network::operator<=>(const Network& other) const {
  if (v6 != other.v6) return v6 <=> other.v6;
  const auto common = compare_bits(*this, other, std::min(prefix, other.prefix));
  if (common != 0) return common;
  if (prefix != other.prefix) return prefix <=> other.prefix;
  return bytes <=> other.bytes;
}

bool Network::contains(const Network& other) const {
  return v6 == other.v6 && prefix < other.prefix && compare_bits(*this, other, prefix) == 0;
}

std::optional<Network> parse_ip(std::string_view text) {
  const std::string copy(text);
  if (copy.find('\0') != std::string::npos) return std::nullopt;
  Network network;
  if (inet_pton(AF_INET, copy.c_str(), network.bytes.data()) == 1) return network;
  network.v6 = true;
  network.prefix = 128;
  if (inet_pton(AF_INET6, copy.c_str(), network.bytes.data()) == 1) return network;
  return std::nullopt;
}

std::optional<Network> ip_of_number(double number) {
  const auto bits = whole_number(number, 4294967296.0);
  if (!bits) return std::nullopt;
  Network network;
  for (std::size_t i = 0; i < 4; ++i)
    network.bytes[i] = static_cast<std::uint8_t>(*bits >> (24 - 8 * i));
  return network;
}

std::optional<Network> parse_subnet(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto network = parse_ip(text.substr(0, slash));
  const std::string_view length = text.substr(slash + 1);
  unsigned prefix = 0;
  const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), prefix);
  if (!network || length.empty() || error != std::errc{} || end != length.data() + length.size() ||
      prefix > network->bits())
    return std::nullopt;
  network->prefix = static_cast<std::uint8_t>(prefix);
  for (unsigned bit = prefix; bit < network->bits(); ++bit)
    network->bytes[bit / 8] =
        static_cast<std::uint8_t>(network->bytes[bit / 8] & ~(0x80u >> bit % 8));
  return network;
}

std::string to_string(const Network& network, bool with_prefix) {
  char buffer[INET6_ADDRSTRLEN];
  inet_ntop(network.v6 ? AF_INET6 : AF_INET, network.bytes.data(), buffer, sizeof buffer);
  std::string text = buffer;
  if (with_prefix || network.prefix != network.bits()) text += "/" + std::to_string(network.prefix);
  return text;
}

std::optional<Mac> parse_mac(std::string_view text) {
  const char separator = text.find(':') != std::string_view::npos   ? ':'
                         : text.find('-') != std::string_view::npos ? '-'
                                                                    : '\0';
  Mac mac;
  for (std::size_t i = 0; i < mac.bytes.size(); ++i) {
    if (i > 0 && separator != '\0') {
      if (text.empty() || text.front() != separator) return std::nullopt;
      text.remove_prefix(1);
    }
    const auto byte = take_byte(text, separator == '\0');
    if (!byte) return std::nullopt;
    mac.bytes[i] = *byte;
  }
  return text.empty() ? std::optional(mac) : std::nullopt;
}

std::optional<Mac> mac_of_number(double number) {
  const auto bits = whole_number(number, 281474976710656.0);
  if (!bits) return std::nullopt;
  Mac mac;
  for (std::size_t i = 0; i < 6; ++i)
    mac.bytes[i] = static_cast<std::uint8_t>(*bits >> (40 - 8 * i));
  return mac;
}

std::string to_string(const Mac& mac) {
  char buffer[18];
  const auto& b = mac.bytes;
  std::snprintf(buffer, sizeof buffer, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3],
                b[4], b[5]);
  return buffer;
}

}  // namespace objects
