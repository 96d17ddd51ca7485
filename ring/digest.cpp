#include "ring/digest.hpp"

#include <stdexcept>
#include <vector>

#include <openssl/evp.h>
#include <nlohmann/json.hpp>

#include "ring/ring.hpp"

namespace ring {
namespace {

constexpr std::size_t kBufferBytes = 64 << 10;

std::string hex(const unsigned char* bytes, unsigned size) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

}  // namespace

std::string json_string(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string compute_digest(const Ring& ring) {
  std::vector<std::string> names, lines;  // lines: of vnodes without data, nearly all
  for (const std::string& pnode : ring.pnodes()) {
    names.push_back(json_string(pnode));
    lines.push_back(names.back() + "\t1\n");
  }
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_DigestInit_ex2(context, EVP_sha256(), nullptr);

  const std::vector<Vnode> with_data = ring.data_vnodes();
  auto next = with_data.begin();
  std::string buffer(to_string(ring.algorithm()));
  buffer += '\n' + std::to_string(ring.vnode_count()) + '\n' + ring.interval_hex() + '\n';
  for (std::uint32_t vnode = 0; vnode < ring.vnode_count(); ++vnode) {
    const auto owner = number(ring.owner(static_cast<Vnode>(vnode)));
    if (next == with_data.end() || number(*next) != vnode) {
      buffer += lines[owner];
    } else {
      buffer += names[owner];
      buffer += '\t';
      buffer += ring.data_json(*next++);
      buffer += '\n';
    }
    if (buffer.size() < kBufferBytes) continue;
    EVP_DigestUpdate(context, buffer.data(), buffer.size());
    buffer.clear();
  }
  EVP_DigestUpdate(context, buffer.data(), buffer.size());
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  const bool done = EVP_DigestFinal_ex(context, digest, &size) == 1;
  EVP_MD_CTX_free(context);
  if (!done) throw std::runtime_error("OpenSSL failed to hash the ring");
  return hex(digest, size);
}

}  // namespace ring
