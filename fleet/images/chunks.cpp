#include "fleet/images/chunks.hpp"

#include <algorithm>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "fleet/images/packed.hpp"
#include "json/nesting.hpp"

namespace fleet {
namespace {

constexpr int kForm = 1;
constexpr std::size_t kDigitsOfName = 16, kDigitsOfNumber = 4, kDigitsOfSha = 64;

}  // namespace

Chunked chunked(std::string_view bytes) {
  Chunked out;
  out.header = {sha256_of(bytes), bytes.size(), (bytes.size() + kChunkBytes - 1) / kChunkBytes, 0};
  if (out.header.chunks > kChunksMost)
    throw std::invalid_argument("an image of " + std::to_string(bytes.size()) +
                                " bytes has more than " + std::to_string(kChunksMost) + " chunks");
  for (std::size_t at = 0; at < bytes.size(); at += kChunkBytes)
    out.chunks.emplace_back(bytes.substr(at, kChunkBytes));
  return out;
}

std::string joined(const Header& header, const std::vector<std::string>& chunks) {
  std::string bytes;
  for (const std::string& chunk : chunks) bytes += chunk;
  if (chunks.size() != header.chunks || bytes.size() != header.bytes ||
      sha256_of(bytes) != header.sha256)
    throw std::invalid_argument("an image's chunks are not those that its header tells of");
  return bytes;
}

std::string chunk_name(const Header& header, std::size_t number) {
  const std::string digits = std::to_string(number);
  return header.sha256.substr(0, kDigitsOfName) + "-" +
         std::string(kDigitsOfNumber - std::min(kDigitsOfNumber, digits.size()), '0') + digits;
}

std::string to_text(const Header& header) {
  return nlohmann::ordered_json{{"v", kForm},
                                {"sha256", header.sha256},
                                {"bytes", header.bytes},
                                {"chunks", header.chunks},
                                {"at", header.written_at}}
      .dump();
}

Header header_from(std::string_view text) {
  const auto in = json::parse_bounded<nlohmann::json>(text);
  try {
    if (!in.is_object()) throw std::invalid_argument("an image's header is not an object in JSON");
    if (in.at("v") != kForm) throw std::invalid_argument("an image's header is of another form");
    Header header{in.at("sha256").get<std::string>(), in.at("bytes").get<std::size_t>(),
                  in.at("chunks").get<std::size_t>(), in.value("at", std::int64_t{0})};
    if (header.sha256.size() != kDigitsOfSha ||
        header.sha256.find_first_not_of("0123456789abcdef") != std::string::npos ||
        header.chunks > kChunksMost || header.bytes > kChunksMost * kChunkBytes)
      throw std::invalid_argument("an image's header names what can't be");
    return header;
  } catch (const nlohmann::json::exception& error) {
    throw std::invalid_argument(std::string("an image's header: ") + error.what());
  }
}

}  // namespace fleet
