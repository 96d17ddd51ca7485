// The functions of one algorithm alone are deprecated for what they can't do: be provided by
// another module. Here they take 55 ns for a key, the general ones 95.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "ring/hash.hpp"

#include <stdexcept>

#include <openssl/evp.h>
#include <openssl/sha.h>

namespace ring {
namespace {

/// Fetched once: the one-shot calls look the algorithm up each time (340 ns against 93).
class Fetched {
 public:
  explicit Fetched(const char* name) : digest_(EVP_MD_fetch(nullptr, name, nullptr)) {
    if (digest_ == nullptr) throw std::runtime_error(std::string("OpenSSL has no ") + name);
  }
  Fetched(const Fetched&) = delete;
  Fetched& operator=(const Fetched&) = delete;
  ~Fetched() { EVP_MD_free(digest_); }
  [[nodiscard]] const EVP_MD* get() const { return digest_; }

 private:
  EVP_MD* digest_;
};

const EVP_MD* fetched(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::sha256: break;  // not by this way
    case Algorithm::sha1: {
      static const Fetched digest("SHA1");
      return digest.get();
    }
    case Algorithm::md5: {
      static const Fetched digest("MD5");
      return digest.get();
    }
  }
  return nullptr;
}

class Context {
 public:
  Context() : context_(EVP_MD_CTX_new()) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { EVP_MD_CTX_free(context_); }
  [[nodiscard]] EVP_MD_CTX* get() const { return context_; }

 private:
  EVP_MD_CTX* context_;
};

}  // namespace

std::size_t digest_bytes(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::sha256: return 32;
    case Algorithm::sha1: return 20;
    case Algorithm::md5: return 16;
  }
  return 0;
}

std::string_view to_string(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::sha256: return "sha256";
    case Algorithm::sha1: return "sha1";
    case Algorithm::md5: return "md5";
  }
  return "";
}

std::optional<Algorithm> algorithm_named(std::string_view name) {
  for (const std::string_view spelling : {"sha256", "sha-256", "SHA256", "SHA-256"})
    if (name == spelling) return Algorithm::sha256;
  for (const std::string_view spelling : {"sha1", "sha-1", "SHA1", "SHA-1"})
    if (name == spelling) return Algorithm::sha1;
  for (const std::string_view spelling : {"md5", "MD5"})
    if (name == spelling) return Algorithm::md5;
  return std::nullopt;
}

Digest hash(Algorithm algorithm, std::string_view bytes) {
  Digest digest;
  if (algorithm == Algorithm::sha256) {
    SHA256_CTX state;
    if (SHA256_Init(&state) != 1 || SHA256_Update(&state, bytes.data(), bytes.size()) != 1 ||
        SHA256_Final(digest.bytes.data(), &state) != 1)
      throw std::runtime_error("OpenSSL failed to hash");
    digest.size = SHA256_DIGEST_LENGTH;
    return digest;
  }
  thread_local const Context context;
  unsigned size = 0;
  if (EVP_DigestInit_ex2(context.get(), fetched(algorithm), nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) != 1 ||
      EVP_DigestFinal_ex(context.get(), digest.bytes.data(), &size) != 1)
    throw std::runtime_error("OpenSSL failed to hash");
  digest.size = size;
  return digest;
}

}  // namespace ring
