#pragma once

#include "json/document.hpp"
#include "json/scanner.hpp"
#include "json/tokens.hpp"

namespace json {

/// What a Document owns: the last text's tokens and the memory they live in.
struct Document::Index {
  Tokens tokens;
  Scanner scanner;
};

}  // namespace json
