(import (qualified_identifier) @module) @import
